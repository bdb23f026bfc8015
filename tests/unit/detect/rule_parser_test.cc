// SPDX-License-Identifier: Apache-2.0
#include "detect/rule_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "base/fd.h"
#include "detect/rule_files.h"
#include "detect/rule_match.h"

namespace iovm::detect {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const AttackMap& attack() {
  return built_in_attack_map();
}

ParsedRules parse(const std::string& text) {
  return parse_rules("t.rules", text, attack());
}

// A rule that needs nothing more than the lines given.
ParsedRules rule(const std::string& lines) {
  return parse("rule one \"One\"\ntechnique T1611\nref X\n" + lines);
}

std::string first_fault(const ParsedRules& parsed) {
  return parsed.faults.empty() ? "" : describe("t.rules", parsed.faults.front());
}

TEST(RuleParserTest, ARuleHasAllThatItsLinesSay) {
  ParsedRules parsed = parse(
      "# a comment\n"
      "rule venom \"VENOM: a title\"   # another\n"
      "  severity critical\n"
      "  technique T1611\n"
      "  ref CVE-2015-3456\n"
      "  ref \"a source in words\"\n"
      "  about \"Half a text\"\n"
      "  about \"and its end.\"\n"
      "  per process\n"
      "  within 10s\n"
      "  unless model\n"
      "  step write fdc \"data FIFO\" command 0x8e\n"
      "  step 64 times write fdc \"data FIFO\"\n"
      "  without read fdc \"data FIFO\" or read pit\n"
      "  or write fdc \"digital output\" value 0/0x04\n");
  ASSERT_THAT(parsed.faults, IsEmpty()) << first_fault(parsed);
  ASSERT_THAT(parsed.rules, SizeIs(1));
  const Rule& r = parsed.rules[0];
  EXPECT_EQ(r.id, "venom");
  EXPECT_EQ(r.title, "VENOM: a title");
  EXPECT_EQ(r.severity, Severity::critical);
  EXPECT_EQ(r.technique.name, "Escape to Host");
  EXPECT_THAT(r.references, ElementsAre("CVE-2015-3456", "a source in words"));
  EXPECT_EQ(r.about, "Half a text and its end.");
  EXPECT_EQ(r.per, Per::process);
  EXPECT_EQ(r.within, 10'000'000'000U);
  EXPECT_TRUE(r.unless_model);
  ASSERT_THAT(r.steps, SizeIs(2));
  EXPECT_EQ(r.steps[1].count, 64U);
  EXPECT_EQ(r.steps[0].want, 0b1U);
  EXPECT_EQ(r.steps[1].want, 0b10U);
  EXPECT_EQ(r.steps[1].without, 0b11100U);
  EXPECT_TRUE(r.patterns[0].command);
  EXPECT_EQ(r.line, 2U);
}

TEST(RuleParserTest, NumbersAreSinglesRangesAndMaskedValues) {
  ParsedRules parsed =
      rule("step write any value 1,0x10-0x1f, 0x40/0xc0\nstep write any value not 0");
  ASSERT_THAT(parsed.rules, SizeIs(1)) << first_fault(parsed);
  const Numbers& in = parsed.rules[0].patterns[0].values;
  for (std::uint64_t number : {1, 0x10, 0x1f, 0x7f, 0x140}) EXPECT_TRUE(in.has(number)) << number;
  for (std::uint64_t number : {0, 2, 0x20, 0xc0, 0x80}) EXPECT_FALSE(in.has(number)) << number;
  EXPECT_FALSE(parsed.rules[0].patterns[1].values.has(0));
  EXPECT_TRUE(parsed.rules[0].patterns[1].values.has(7));
}

TEST(RuleParserTest, AFaultyRuleIsLeftOutAndTheOthersStay) {
  ParsedRules parsed = parse(
      "rule bad \"Bad\"\n technique T1611\n ref X\n step write nothing\n"
      "rule good \"Good\"\n technique T1611\n ref X\n step write fdc\n");
  EXPECT_THAT(parsed.faults, SizeIs(1));
  ASSERT_THAT(parsed.rules, SizeIs(1));
  EXPECT_EQ(parsed.rules[0].id, "good");
}

TEST(RuleParserTest, FaultsAreToldUpToALimit) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "nonsense\n";
  EXPECT_THAT(parse(text).faults, SizeIs(kMaxFaults));
}

TEST(RuleParserTest, HostileWordsComeOutEscaped) {
  std::string fault =
      first_fault(rule("step \xc2\x9b"
                       "2J\n"));
  EXPECT_THAT(fault, HasSubstr("t.rules:4:6: expected read, write or access, found"));
  EXPECT_EQ(fault.find('\x9b'), std::string::npos);
}

TEST(RuleParserTest, RegistersOfRepeatedLinesAreNamedWithOrWithoutTheirNumber) {
  EXPECT_TRUE(matches_name("transmit status #", "transmit status 3"));
  EXPECT_TRUE(matches_name("transmit status #", "transmit status 31"));
  EXPECT_TRUE(matches_name("transmit status 3", "transmit status 3"));
  EXPECT_FALSE(matches_name("transmit status #", "transmit status of all"));
  EXPECT_FALSE(matches_name("transmit status 3", "transmit status 31"));
  ParsedRules parsed = rule("step write 10ec:8139 \"transmit status #\"");
  EXPECT_THAT(parsed.faults, IsEmpty()) << first_fault(parsed);
}

TEST(RuleParserTest, StepsOnTwoDevicesArePutTogetherBySomethingElse) {
  std::string steps = "step write fdc \"data FIFO\"\nstep write 8086:100e bar0 0\n";
  EXPECT_THAT(first_fault(rule(steps)),
              HasSubstr("on one device, found step 2 on another than step 1; say per process"));
  for (std::string fits :
       {"per process\n" + steps, std::string("step write fdc\nstep write port 0x3f5\n"),
        std::string("step write fdc\nstep read any\n"),
        std::string("step write ide0,fdc\nstep read fdc\n"),
        std::string("step write 8086:* bar0 0\nstep read *:* bar0 0\n")}) {
    ParsedRules parsed = rule(fits);
    EXPECT_THAT(parsed.faults, IsEmpty()) << fits << first_fault(parsed);
  }
}

// Each bad file has beside it what is said of it.
TEST(RuleParserTest, EachBadFileIsToldOfWithLineColumnAndWhatWasExpected) {
  namespace fs = std::filesystem;
  int files = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(IOVM_TEST_DATA "/rules")) {
    if (entry.path().extension() != ".rules") continue;
    ++files;
    auto text = read_file(entry.path().string());
    auto expected = read_file(fs::path(entry.path()).replace_extension(".expected").string());
    ASSERT_TRUE(text && expected) << entry.path();
    std::string told;
    std::string name = entry.path().filename().string();
    for (const RuleFault& fault : parse_rules(name, *text, attack()).faults) {
      told += describe(name, fault) + "\n";
    }
    EXPECT_EQ(told, *expected) << entry.path();
  }
  EXPECT_GE(files, 5);
}

TEST(AttackMapTest, TellsItsVersionAndItsFaultsWithTheirPlace) {
  ParsedAttackMap parsed = parse_attack_map(
      "version 16.1\nT1 \"One\" TA1 \"Tactic\"\nT2 Two TA1 \"Tactic\"\nT3 \"Three\"\n");
  EXPECT_EQ(parsed.map.version, "16.1");
  EXPECT_EQ(parsed.map.techniques.at("T1").tactic, "Tactic");
  ASSERT_THAT(parsed.faults, SizeIs(2));
  EXPECT_EQ(describe("m", parsed.faults[0]), "m:3:4: expected its name in quotes, found \"Two\"");
  EXPECT_EQ(describe("m", parsed.faults[1]),
            "m:4:11: expected its tactic's id (TA0004), found the end of the line");
}

TEST(RuleFilesTest, TheBuiltInRulesHaveNoFaultAndEveryFileIsThere) {
  auto rules = load_rules({}, true);
  ASSERT_TRUE(rules) << rules.error().message();
  EXPECT_GE((*rules)->rules.size(), 30U);
  EXPECT_FALSE((*rules)->attack_version.empty());
  for (const Rule& r : (*rules)->rules) {
    EXPECT_FALSE(r.about.empty()) << r.id;
    for (const char* kind : {".hit.events", ".miss.events"}) {
      EXPECT_TRUE(std::filesystem::exists(IOVM_SOURCE_DIR "/src/detect/rules/tests/" + r.id + kind))
          << r.id << kind;
    }
  }
}

class RuleDirectoryTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "rules-" + std::to_string(::getpid());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void put(const std::string& name, const std::string& text) const {
    ASSERT_TRUE(write_file(folder_ + "/" + name, text));
  }
  std::string folder_;
};

TEST_F(RuleDirectoryTest, AUsersRuleTakesThePlaceOfTheBuiltInOneAndDisableTakesOneAway) {
  auto before = load_rules({}, true);
  put("a.rules",
      "disable port-sweep\nrule venom \"Mine\"\ntechnique T1611\nref X\nstep write fdc\n");
  put("ignored.txt", "nonsense");
  auto after = load_rules({folder_}, true);
  ASSERT_TRUE(after) << after.error().message();
  EXPECT_EQ((*after)->rules.size(), (*before)->rules.size() - 1);
  auto venom = std::ranges::find((*after)->rules, "venom", &Rule::id);
  ASSERT_NE(venom, (*after)->rules.end());
  EXPECT_EQ(venom->title, "Mine");
  EXPECT_EQ(std::ranges::count((*after)->rules, "port-sweep", &Rule::id), 0);
}

TEST_F(RuleDirectoryTest, TwoFilesWithOneIdAreAnErrorThatNamesBothPlaces) {
  std::string one = "rule mine \"Mine\"\ntechnique T1611\nref X\nstep write fdc\n";
  put("a.rules", one);
  put("b.rules", "\n" + one);
  auto rules = load_rules({folder_}, true);
  ASSERT_FALSE(rules);
  EXPECT_THAT(rules.error().message(), HasSubstr("b.rules:2:1: rule mine is in "));
  EXPECT_THAT(rules.error().message(), HasSubstr("a.rules:1 too"));
}

TEST_F(RuleDirectoryTest, ADirectoryWithoutRulesIsAnError) {
  EXPECT_FALSE(load_rules({folder_}, true));
  EXPECT_FALSE(load_rules({folder_ + "/missing.rules"}, true));
}

}  // namespace
}  // namespace iovm::detect
