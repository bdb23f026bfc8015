// SPDX-License-Identifier: Apache-2.0
#include "detect/rule_inline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "detect/rule_files.h"
#include "detect/rule_parser.h"

namespace iovm::detect {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using trace::WriteMatch;

ParsedRules parse(const std::string& lines) {
  return parse_rules("t", "rule one \"One\"\ntechnique T1611\nref X\ninline\n" + lines,
                     built_in_attack_map());
}

// What a rule of these steps stops a VM at.
std::vector<WriteMatch> writes(const std::string& lines) {
  ParsedRules parsed = parse(lines);
  for (const RuleFault& fault : parsed.faults) ADD_FAILURE() << describe("t", fault);
  if (parsed.rules.empty()) return {};
  return std::get<0>(inline_writes(parsed.rules[0]));
}

// Why it cannot be inline.
std::string refusal(const std::string& lines) {
  ParsedRules parsed = parse(lines);
  EXPECT_THAT(parsed.rules, IsEmpty()) << "it was taken";
  return parsed.faults.empty() ? "" : describe("t", parsed.faults[0]);
}

TEST(RuleInlineTest, ARegisterIsItsPortAndAValueIsItself) {
  auto all = writes("step write fdc \"data FIFO\" value 0x8e");
  ASSERT_THAT(all, SizeIs(1));
  EXPECT_EQ(all[0].address, 0x3f5U);
  EXPECT_FALSE(all[0].memory);
  EXPECT_EQ(all[0].sizes, 0);
  EXPECT_TRUE(all[0].has_value(0x8e));
  EXPECT_FALSE(all[0].has_value(0x8f));
}

TEST(RuleInlineTest, SetsRangesAndMasksOfValuesAreOneWriteEach) {
  auto all = writes("step write fdc \"data FIFO\" value 0x8e,1-3,0x0a/0xbf size 1,2");
  ASSERT_THAT(all, SizeIs(3));
  EXPECT_EQ(all[0].sizes, 3);
  EXPECT_TRUE(all[0].has_size(2));
  EXPECT_FALSE(all[0].has_size(4));
  EXPECT_TRUE(all[1].has_value(3));
  EXPECT_FALSE(all[1].has_value(4));
  EXPECT_TRUE(all[2].has_value(0x4a));
  EXPECT_FALSE(all[2].has_value(0x8a));
}

TEST(RuleInlineTest, AnyValueIsMeantWhereNoneIsNamed) {
  auto all = writes("step write debugcon \"output\"");
  ASSERT_THAT(all, SizeIs(1));
  EXPECT_EQ(all[0].mask, 0U);
  EXPECT_TRUE(all[0].has_value(0x1234));
}

TEST(RuleInlineTest, NotTurnsOneValueRound) {
  auto all = writes("step write port 0x80 value not 0-9");
  ASSERT_THAT(all, SizeIs(1));
  EXPECT_TRUE(all[0].negated);
  EXPECT_TRUE(all[0].has_value(10));
  EXPECT_FALSE(all[0].has_value(9));
  EXPECT_THAT(refusal("step write port 0x80 value not 1,3"), HasSubstr("after not"));
}

TEST(RuleInlineTest, PortsAndAddressesByNumberAreTakenOneByOne) {
  auto all = writes("step write port 0x80-0x83 or write memory 0xfed00010 size 4");
  ASSERT_THAT(all, SizeIs(5));
  EXPECT_EQ(all[3].address, 0x83U);
  EXPECT_TRUE(all[4].memory);
  EXPECT_EQ(all[4].sizes, 4);
  EXPECT_THAT(refusal("step write port 0-0x1000"), HasSubstr("at most 256 addresses"));
  EXPECT_THAT(refusal("step write memory 0-0xffffffffffffffff"), HasSubstr("at most 256"));
  EXPECT_THAT(refusal("step write port 0/1"), HasSubstr("without a mask"));
  EXPECT_THAT(refusal("step write fdc port 0x80"), HasSubstr("port 0x80 is none"));
}

TEST(RuleInlineTest, WhatOneAccessDoesNotSayIsRefusedWhereTheRuleSaysInline) {
  EXPECT_EQ(refusal("step write fdc\nstep write fdc"), "t:4:1: inline: expected one step, found 2");
  EXPECT_EQ(refusal("step 64 times write fdc \"data FIFO\""),
            "t:4:1: inline: expected a step of one access, found 64");
  EXPECT_THAT(refusal("step write fdc \"data FIFO\"\nwithout read fdc"), HasSubstr("no without"));
  EXPECT_THAT(refusal("unless model\nstep write port 0x80"), HasSubstr("no unless model"));
  EXPECT_THAT(refusal("step read port 0x80"), HasSubstr("expected write"));
  EXPECT_THAT(refusal("step access port 0x80"), HasSubstr("expected write"));
  EXPECT_THAT(refusal("step write port 0x80 from user"), HasSubstr("expected no from"));
  EXPECT_THAT(refusal("step write port 0x80 misaligned"), HasSubstr("no misaligned"));
  EXPECT_THAT(refusal("step write port 0x71 index 0xf"), HasSubstr("expected no index"));
  EXPECT_THAT(refusal("step write fdc \"data FIFO\" command 0x8e"),
              HasSubstr("value in place of command"));
  EXPECT_THAT(refusal("step write any"), HasSubstr("a register"));
  EXPECT_THAT(refusal("step write fdc"), HasSubstr("a register"));
}

TEST(RuleInlineTest, WhatHasNoFixedAddressIsRefused) {
  EXPECT_THAT(refusal("step write 8086:100e bar0 0x3810"), HasSubstr("a PCI function is where"));
  EXPECT_THAT(refusal("step write bar0 0x3810"), HasSubstr("found bar0"));
  EXPECT_THAT(refusal("step write config 0x10"), HasSubstr("found config"));
  EXPECT_THAT(refusal("step write unassigned port 0x5000"), HasSubstr("unassigned"));
  EXPECT_THAT(refusal("step write acpi \"PM1 control\" value 0x2000/0x2000"),
              HasSubstr("never moves"));
  EXPECT_THAT(refusal("step write cmos \"shutdown status\" value 5"),
              HasSubstr("chosen by a write before"));
  EXPECT_THAT(refusal("step write vga \"attribute controller\" value 1"),
              HasSubstr("chosen by a write before"));
}

TEST(RuleInlineTest, OnlyMarkedRulesStopAndTheirNumbersFindThemAgain) {
  RuleSet set;
  set.first_number = 100;
  std::string head = "rule two \"Two\"\ntechnique T1611\nref X\n";
  set.rules = parse_rules("t", head + "step write port 0x80", built_in_attack_map()).rules;
  set.rules.push_back(parse("step write port 0x81").rules.at(0));
  auto all = inline_writes(set);
  ASSERT_THAT(all, SizeIs(1));
  EXPECT_EQ(all[0].number, 101U);
  EXPECT_EQ(set.numbered(101)->id, "one");
  EXPECT_EQ(set.numbered(99), nullptr);
  EXPECT_EQ(set.numbered(102), nullptr);
}

TEST(RuleInlineTest, TheBuiltInRulesStopNobody) {
  auto rules = load_rules({}, true);
  ASSERT_TRUE(rules);
  EXPECT_THAT(inline_writes(**rules), IsEmpty());
}

}  // namespace
}  // namespace iovm::detect
