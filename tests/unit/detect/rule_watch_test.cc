// SPDX-License-Identifier: Apache-2.0
#include "detect/rule_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/json.h"
#include "detect/render.h"
#include "detect/rule_files.h"
#include "unit/model/events.h"

namespace iovm::detect {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class Alerts : public AlertSink {
 public:
  Status opened(const Alert& alert) override {
    opened_at.push_back(alert.alarm_event);
    return {};
  }
  Status closed(const Alert& alert) override {
    all.push_back(alert);
    return {};
  }
  std::vector<Alert> all;
  std::vector<std::uint64_t> opened_at;
};

std::shared_ptr<const RuleSet> rules_of(const std::string& lines) {
  std::string text = "rule one \"One\"\ntechnique T1611\nref CVE-1\n" + lines;
  ParsedRules parsed = parse_rules("t", text, built_in_attack_map());
  for (const RuleFault& fault : parsed.faults) ADD_FAILURE() << describe("t", fault);
  auto set = std::make_shared<RuleSet>();
  set->rules = std::move(parsed.rules);
  return set;
}

class RuleWatchTest : public testing::Test {
 protected:
  // The alerts of one rule over what the guest did.
  const std::vector<Alert>& hits(const std::string& lines) {
    alerts_ = {};
    RuleRun run(rules_of(lines), "t", alerts_);
    EXPECT_TRUE(run.feed(context_, guest_.events));
    EXPECT_TRUE(run.finish(context_));
    return alerts_.all;
  }

  trace::Context context_;
  TestGuest guest_;
  Alerts alerts_;
};

TEST_F(RuleWatchTest, StepsAreInOrderWithAnythingBetweenThem) {
  guest_.out(0x43, 1).in(0x40).out(0x43, 2).out(0x21, 7).out(0x43, 3);
  std::string steps = "step write pit value 1\nstep write pit value 2\nstep write pit value 3";
  ASSERT_THAT(hits(steps), SizeIs(1));
  const Alert& alert = alerts_.all[0];
  EXPECT_EQ(alert.kind, AlertKind::rule);
  EXPECT_EQ(alert.first_event, 0U);
  EXPECT_EQ(alert.alarm_event, 4U);
  ASSERT_THAT(alert.steps, SizeIs(3));
  EXPECT_EQ(alert.steps[1].event, 2U);
  EXPECT_THAT(hits("step write pit value 3\nstep write pit value 1"), IsEmpty());
}

TEST_F(RuleWatchTest, OneAccessIsOneStepOnly) {
  guest_.out(0x43, 1);
  EXPECT_THAT(hits("step write pit\nstep write pit"), IsEmpty());
  guest_.out(0x43, 1);
  EXPECT_THAT(hits("step write pit\nstep write pit"), SizeIs(1));
}

TEST_F(RuleWatchTest, WhatWithoutNamesEndsTheWait) {
  std::string steps = "step write pit value 1\nstep write pit value 2\nwithout read pit";
  guest_.out(0x43, 1).in(0x40).out(0x43, 2);
  EXPECT_THAT(hits(steps), IsEmpty());
  guest_.out(0x43, 1).out(0x43, 2);
  EXPECT_THAT(hits(steps), SizeIs(1));
}

TEST_F(RuleWatchTest, ValuesThatExcludeEachOtherMakeAStepTheNextOne) {
  std::string steps =
      "step write pit value 1\nstep write pit value 2\nwithout write pit value not 2";
  guest_.out(0x43, 1).out(0x43, 3).out(0x43, 2);
  EXPECT_THAT(hits(steps), IsEmpty());
  guest_.out(0x43, 1).out(0x43, 2);
  EXPECT_THAT(hits(steps), SizeIs(1));
}

TEST_F(RuleWatchTest, ALaterFirstStepTakesThePlaceOfAnEarlierOne) {
  guest_.out(0x43, 1).pause(9'000'000'000).out(0x43, 1).pause(5'000'000'000).out(0x43, 2);
  EXPECT_THAT(hits("within 10s\nstep write pit value 1\nstep write pit value 2"), SizeIs(1));
  EXPECT_THAT(hits("within 4s\nstep write pit value 1\nstep write pit value 2"), IsEmpty());
}

TEST_F(RuleWatchTest, CountsBeginAnewAfterTheTimeIsOver) {
  for (int i = 0; i < 4; ++i) guest_.out(0x43, 1).pause(1'000'000'000);
  EXPECT_THAT(hits("within 2500ms\nstep 4 times write pit"), IsEmpty());
  EXPECT_THAT(hits("within 2500ms\nstep 3 times write pit"), SizeIs(1));
  EXPECT_THAT(hits("step 4 times write pit"), SizeIs(1));
}

TEST_F(RuleWatchTest, ElementsOfAStringOperationCountEach) {
  guest_.out(0x3f5, 0x41);
  trace::set_count(guest_.events.back(), 600);
  EXPECT_THAT(hits("step 600 times write fdc"), SizeIs(1));
  EXPECT_THAT(hits("step 601 times write fdc"), IsEmpty());
}

TEST_F(RuleWatchTest, DifferentCountsAddressesOnce) {
  for (int i = 0; i < 10; ++i) guest_.in(0x1000).in(0x1001);
  EXPECT_THAT(hits("step 3 different read unassigned port"), IsEmpty());
  guest_.in(0x1002);
  EXPECT_THAT(hits("step 3 different read unassigned port"), SizeIs(1));
}

TEST_F(RuleWatchTest, ALossIsABoundaryOfItsVmOnly) {
  std::string steps = "step write pit value 1\nstep write pit value 2";
  guest_.out(0x43, 1).lose().out(0x43, 2);
  EXPECT_THAT(hits(steps), IsEmpty());
  guest_ = {};
  guest_.out(0x43, 1);
  guest_.vm = 1;
  guest_.lose();
  guest_.vm = 0;
  guest_.out(0x43, 2);
  EXPECT_THAT(hits(steps), SizeIs(1));
  EXPECT_EQ(alerts_.all[0].lost, 1U);
}

TEST_F(RuleWatchTest, EachStopOfTheVmIsAnAlertOfItsOwn) {
  std::string rule = "inline\nstep write port 0x43 value 1";
  context_.vms.resize(1);
  context_.vms[0].pid = 4711;
  guest_.out(0x43, 1).out(0x43, 1).out(0x43, 1);
  guest_.events[0].stopped_by = guest_.events[2].stopped_by = 1;
  hits(rule);
  ASSERT_THAT(alerts_.all, SizeIs(3));
  EXPECT_THAT(alerts_.opened_at, ElementsAre(0, 1, 2));
  EXPECT_EQ(alerts_.all[0].stop, Stop::in_exit);
  EXPECT_EQ(alerts_.all[1].stop, Stop::in_exit);
  EXPECT_EQ(alerts_.all[2].stop, Stop::none) << "a hit, at which nobody was stopped";
  EXPECT_THAT(alert_text(alerts_.all[0], Phase::opened),
              HasSubstr("the VMM is stopped, its devices have not seen this write: kill -CONT "
                        "4711 lets both go on"));
  EXPECT_THAT(alert_json(alerts_.all[0], Phase::opened),
              HasSubstr(R"("stopped":{"how":"in-exit","resume":"kill -CONT 4711"})"));
  EXPECT_THAT(alert_json(alerts_.all[2], Phase::opened), testing::Not(HasSubstr("stopped")));
}

TEST_F(RuleWatchTest, AStopForARuleOfBeforeAReloadIsStillToldByItsName) {
  guest_.out(0x43, 1).in(0x40);
  guest_.events[0].stopped_by = guest_.events[1].stopped_by = 1;
  RuleRun run(rules_of("inline\nstep write port 0x43 value 1"), "t", alerts_);
  auto other = std::make_shared<RuleSet>();
  other->first_number = 2;
  ASSERT_TRUE(run.watch().replace(context_, other));
  EXPECT_TRUE(run.feed(context_, guest_.events));
  EXPECT_TRUE(run.finish(context_));
  ASSERT_THAT(alerts_.all, SizeIs(2)) << "also where the rule itself would not have hit";
  EXPECT_EQ(alerts_.all[1].rule->id, "one");
}

// Two quick reloads: the set between was armed, and never in force here.
TEST_F(RuleWatchTest, AStopForRulesThatWereOnlyArmedIsTold) {
  guest_.out(0x43, 1);
  guest_.events[0].stopped_by = 5;
  RuleRun run(rules_of("step write pit value 9"), "t", alerts_);
  auto between = std::make_shared<RuleSet>(*rules_of("inline\nstep write port 0x43 value 1"));
  between->first_number = 5;
  auto last = std::make_shared<RuleSet>();
  last->first_number = 6;
  run.watch().know(between);
  ASSERT_TRUE(run.watch().replace(context_, last));
  EXPECT_TRUE(run.feed(context_, guest_.events));
  ASSERT_THAT(alerts_.all, SizeIs(1));
  EXPECT_EQ(alerts_.all[0].stop, Stop::in_exit);
}

TEST_F(RuleWatchTest, EachProcessIsAloneWhereTheRuleSaysSo) {
  guest_.process = 1;
  guest_.out(0x43, 1);
  guest_.process = 2;
  guest_.out(0x43, 2);
  std::string steps = "step write pit value 1\nstep write pit value 2";
  EXPECT_THAT(hits("per process\n" + steps), IsEmpty());
  EXPECT_THAT(hits("per vm\n" + steps), SizeIs(1));
}

TEST_F(RuleWatchTest, AProcessWithoutAnIndexIsToldByItsPageTables) {
  guest_.rip = 0x401000;
  guest_.cr3 = 0x10000;
  guest_.out(0x43, 1);
  guest_.cr3 = 0x11001;  // the other half of the pair, with a PCID
  guest_.out(0x43, 2);
  std::string steps = "per process\nstep write pit value 1\nstep write pit value 2";
  EXPECT_THAT(hits(steps), SizeIs(1));
  guest_.cr3 = 0x20000;
  guest_.out(0x43, 1);
  guest_.cr3 = 0x30000;
  guest_.out(0x43, 2);
  EXPECT_THAT(hits(steps), SizeIs(1));
}

TEST_F(RuleWatchTest, HitsCloseTogetherAreOneAlertThatIsOpenedAtOnce) {
  for (int i = 0; i < 5; ++i) guest_.in(0x43);
  guest_.pause(20'000'000'000).in(0x43);
  ASSERT_THAT(hits("step read pit \"mode/command\""), SizeIs(2));
  EXPECT_EQ(alerts_.all[0].rule->hits, 5U);
  EXPECT_EQ(alerts_.all[0].last_event, 4U);
  EXPECT_THAT(alerts_.opened_at, ElementsAre(0U, 5U));
}

TEST_F(RuleWatchTest, ABarIsFollowedWhereverItIsPlaced) {
  std::string step =
      "step write 8086:100e \"transmit descriptor tail (TDT)\" value 0x1000-0xffffffff";
  guest_.place_device(0x18, 0x100e8086, 0, 0xfffe0000, 0xfebc0000);
  guest_.store(0xfebc3818, 0xfff0).store(0xfeb03818, 0xfff0);
  ASSERT_THAT(hits(step), SizeIs(1));
  EXPECT_EQ(alerts_.all[0].events, 1U);
  guest_.config_write(0x18, 0x10, 0xfeb00000);
  guest_.pause(20'000'000'000).store(0xfeb03818, 0xfff0);
  EXPECT_THAT(hits(step), SizeIs(2));
}

TEST_F(RuleWatchTest, ACommandByteIsToldFromAParameter) {
  std::string step = "step write fdc \"data FIFO\" command 0x8e";
  guest_.in(0x3f4, 0x90).out(0x3f5, 0x8e);
  EXPECT_THAT(hits(step), IsEmpty());
  guest_.in(0x3f4, 0x80).out(0x3f5, 0x8e);
  EXPECT_THAT(hits(step), SizeIs(1));
}

TEST_F(RuleWatchTest, AVeryLongAttackOfManyProcessesStaysBounded) {
  for (std::uint32_t p = 0; p < 5000; ++p) {
    guest_.process = p;
    guest_.out(0x43, 1);
  }
  guest_.out(0x43, 2);  // the last one's track is there
  EXPECT_THAT(hits("per process\nstep write pit value 1\nstep write pit value 2"), SizeIs(1));
  guest_.process = 0;
  guest_.out(0x43, 2);  // the first one's went long ago
  EXPECT_THAT(hits("per process\nstep write pit value 1\nstep write pit value 2"), SizeIs(1));
}

TEST_F(RuleWatchTest, AGuestThatFillsTheAlphabetIsNotRidOfTheRulesAboutPorts) {
  RuleRun run(rules_of("step read pit \"mode/command\""), "t", alerts_);
  guest_.place_device(0x18, 0x100e8086, 0, 0xfffe0000, 0xfebc0000);
  for (std::uint64_t value = 0; value < model::kMaxSymbols;) {
    for (int i = 0; i < 4096; ++i) guest_.store(0xfebc0000, value++);
    EXPECT_TRUE(run.feed(context_, guest_.events));
    guest_.events.clear();
  }
  guest_.in(0x43);
  EXPECT_TRUE(run.feed(context_, guest_.events));
  EXPECT_TRUE(run.finish(context_));
  EXPECT_THAT(alerts_.all, SizeIs(1));
}

TEST_F(RuleWatchTest, BatchesDoNotMatter) {
  for (int i = 0; i < 50; ++i) guest_.out(0x43, static_cast<std::uint64_t>(i % 7)).in(0x43);
  auto set = rules_of("step write pit value 1\nstep 3 times read pit\nwithout write pit value 6");
  std::vector<std::string> told;
  for (std::size_t batch : {std::size_t{1}, std::size_t{7}, std::size_t{1000}}) {
    Alerts alerts;
    RuleRun run_(set, "t", alerts);
    trace::VectorSource source(context_, guest_.events, batch);
    EXPECT_TRUE(run(source, run_));
    std::string text;
    for (const Alert& alert : alerts.all) text += alert_json(alert);
    told.push_back(text);
  }
  EXPECT_FALSE(told[0].empty());
  EXPECT_EQ(told[0], told[1]);
  EXPECT_EQ(told[0], told[2]);
}

TEST_F(RuleWatchTest, TheAlertNamesRuleSourcesTechniqueStepsAndProcess) {
  trace::GuestProcess& process = context_.processes.emplace_back();
  process.pid = process.tgid = 266;
  process.comm = "ev\x1bil";
  guest_.process = 0;
  guest_.out(0x3f5, 0x8e);
  ASSERT_THAT(hits("severity critical\nstep write fdc \"data FIFO\" value 0x8e"), SizeIs(1));
  auto json = JsonValue::parse(alert_json(alerts_.all[0]));
  ASSERT_TRUE(json);
  auto rule = json->member("rule");
  EXPECT_EQ(rule->member("id")->text(), "one");
  EXPECT_EQ(rule->member("name")->text(), "One");
  EXPECT_EQ(rule->member("reference")->at(0).text(), "CVE-1");
  EXPECT_EQ(json->member("event")->member("severity")->whole(), 99U);
  EXPECT_EQ(json->member("threat")->member("technique")->member("id")->text(), "T1611");
  EXPECT_EQ(json->member("threat")->member("tactic")->member("id")->text(), "TA0004");
  auto ours = json->member("iovm");
  EXPECT_EQ(ours->member("process")->member("pid")->whole(), 266U);
  auto step = ours->member("steps")->at(0);
  EXPECT_EQ(step.member("text")->text(), "floppy controller: write 0x8e to data FIFO (0x3f5)");
  EXPECT_EQ(step.member("novelty")->text(), "matched");
  std::string text = alert_text(alerts_.all[0]);
  EXPECT_THAT(text, HasSubstr("One: rule one (critical), CVE-1, events 0-0, by ev\\x1bil (266)"));
}

TEST_F(RuleWatchTest, AnAlertCountsTheAccessesOfAllItsHitsAndEachOfThemOnce) {
  for (int i = 0; i < 3; ++i) guest_.out(0x43, 1).in(0x40).in(0x40);
  ASSERT_THAT(hits("step write pit value 1\nstep 2 times read pit"), SizeIs(1));
  const Alert& alert = alerts_.all[0];
  EXPECT_EQ(alert.rule->hits, 3U);
  EXPECT_EQ(alert.events, 9U);
  ASSERT_THAT(alert.actors, SizeIs(1));
  EXPECT_EQ(alert.actors[0].events, 9U);
  ASSERT_THAT(hits("step write pit value 1"), SizeIs(1));
  EXPECT_EQ(alerts_.all[0].actors.at(0).events, 3U);
}

TEST_F(RuleWatchTest, AnIndexAndItsValueInOneAccessAreToldApart) {
  std::string rule = "step write vga \"map mask\" value 0x05";
  EXPECT_THAT(hits(rule), IsEmpty());
  guest_.out(0x3c4, 0x0502, 2);
  EXPECT_THAT(hits(rule), SizeIs(1));
  EXPECT_THAT(hits("step write vga \"map mask\" value 0x02"), IsEmpty());
  // Who names the index port means all that was written there.
  EXPECT_THAT(hits("step write vga port 0x3c4 value 0x0502"), SizeIs(1));
}

TEST_F(RuleWatchTest, ASubtechniqueIsToldWithItsTechnique) {
  guest_.in(0x43);
  std::string lines = "step read pit";
  ParsedRules parsed = parse_rules(
      "t", "rule one \"One\"\ntechnique T1499.004\nref X\nstep read pit", built_in_attack_map());
  auto set = std::make_shared<RuleSet>();
  set->rules = std::move(parsed.rules);
  RuleRun run(set, "t", alerts_);
  EXPECT_TRUE(run.feed(context_, guest_.events));
  EXPECT_TRUE(run.finish(context_));
  auto technique =
      JsonValue::parse(alert_json(alerts_.all.at(0)))->member("threat")->member("technique");
  EXPECT_EQ(technique->member("id")->text(), "T1499");
  EXPECT_EQ(technique->member("name")->text(), "Endpoint Denial of Service");
  EXPECT_EQ(technique->member("subtechnique")->member("id")->text(), "T1499.004");
}

TEST_F(RuleWatchTest, OtherRulesTakeOverAndOpenAlertsAreClosed) {
  guest_.in(0x43).in(0x43);
  RuleRun run(rules_of("step read pit"), "t", alerts_);
  EXPECT_TRUE(run.feed(context_, guest_.events));
  EXPECT_THAT(alerts_.all, IsEmpty());
  EXPECT_TRUE(run.watch().replace(context_, rules_of("step write pit")));
  EXPECT_THAT(alerts_.all, SizeIs(1));
  EXPECT_TRUE(run.feed(context_, guest_.events));
  EXPECT_TRUE(run.finish(context_));
  EXPECT_THAT(alerts_.all, SizeIs(1));
}

}  // namespace
}  // namespace iovm::detect
