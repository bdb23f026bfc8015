// SPDX-License-Identifier: Apache-2.0
#include "analyze/evaluation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace iovm::analyze {
namespace {

using testing::HasSubstr;

std::vector<ScoredSession> sessions(std::vector<double> normal, std::vector<double> attack) {
  std::vector<ScoredSession> out;
  for (double s : normal) out.push_back({"uart", s, false});
  for (double s : attack) out.push_back({"uart", s, true});
  return out;
}

TEST(Evaluation, AucCountsPairsAndTiesHalf) {
  EXPECT_DOUBLE_EQ(*separation(sessions({1, 2, 3}, {2, 4})).auc, 4.5 / 6);
  EXPECT_DOUBLE_EQ(*separation(sessions({1}, {2})).auc, 1);
  EXPECT_DOUBLE_EQ(*separation(sessions({5, 5}, {5})).auc, 0.5);
}

TEST(Evaluation, ThereIsNoAucOfOneKindAlone) {
  EXPECT_FALSE(separation(sessions({1, 2}, {})).auc);
  EXPECT_TRUE(evaluate(sessions({}, {1})).roc.empty());
}

TEST(Evaluation, AnIntervalHoldsTheAucAndStaysOpenAtOne) {
  Interval perfect = auc_interval(1, 20, 10);
  EXPECT_LT(perfect.low, 0.95);
  EXPECT_DOUBLE_EQ(perfect.high, 1);
  Interval some = auc_interval(0.8, 100, 100);
  EXPECT_NEAR(some.low, 0.73, 0.01);
  EXPECT_NEAR(some.high, 0.855, 0.01);
}

TEST(Evaluation, WilsonsIntervalAsInTheBooks) {
  Interval i = wilson(0.1, 50);
  EXPECT_NEAR(i.low, 0.0435, 0.001);
  EXPECT_NEAR(i.high, 0.2136, 0.001);
}

TEST(Evaluation, TheCurveHasItsCornersOnly) {
  Evaluation e = evaluate(sessions({1, 2, 5}, {3, 4, 6}));
  ASSERT_EQ(e.roc.size(), 5U);
  EXPECT_DOUBLE_EQ(e.roc[1].detected, 1.0 / 3);
  EXPECT_DOUBLE_EQ(e.roc[3].detected, 1);
  EXPECT_DOUBLE_EQ(e.roc[3].false_rate, 1.0 / 3);
}

TEST(Evaluation, NoMoreNormalSessionsAreAboveTheThresholdThanAllowed) {
  std::vector<double> normal;
  for (int i = 0; i < 100; ++i) normal.push_back(i);
  Evaluation e = evaluate(sessions(normal, {98.5, 99.5, 98, 94}));
  EXPECT_DOUBLE_EQ(e.detected[0].share, 0.25);  // none of a hundred: above 99
  EXPECT_DOUBLE_EQ(e.detected[1].share, 0.5);   // one: above 98
  EXPECT_DOUBLE_EQ(e.detected[2].share, 0.75);  // five: above 94
}

AttackOutcome outcome(std::string name, std::string device, std::uint64_t alerts,
                      std::uint64_t to_alarm) {
  AttackOutcome out;
  out.trace = "a.iovm";
  out.name = std::move(name);
  out.device = std::move(device);
  out.accesses = 100;
  out.alerts = alerts;
  out.to_alarm = to_alarm;
  return out;
}

TEST(Evaluation, AttacksOfANameOrADeviceAreCountedTogetherWithTheMedianOfThoseFound) {
  std::vector<AttackOutcome> all = {outcome("venom", "fdc", 1, 3), outcome("venom", "fdc", 2, 5),
                                    outcome("venom", "fdc", 0, 0), outcome("bank", "vga", 0, 0)};
  std::vector<AttackGroup> names = attack_groups(all, &AttackOutcome::name);
  ASSERT_EQ(names.size(), 2U);
  EXPECT_EQ(names[1].name, "venom");
  EXPECT_EQ(names[1].attacks, 3U);
  EXPECT_EQ(names[1].found, 2U);
  EXPECT_DOUBLE_EQ(names[1].accesses_to_alarm, 4);
  EXPECT_EQ(all_attacks(all).found, 2U);

  Evaluation e = evaluate(sessions({1}, {2}));
  e.outcomes = all;
  std::string text = render_text(e);
  EXPECT_THAT(text, HasSubstr("attacks: found 2 of 4 ("));
  EXPECT_THAT(text, HasSubstr("bank in a.iovm, 100 accesses on vga: not found"));
  EXPECT_THAT(text, HasSubstr("  fdc: found 2 of 3 ("));
}

TEST(Evaluation, NamesAreEscapedInText) {
  std::vector<ScoredSession> all = sessions({1}, {2});
  all.push_back({"\x1b[2J", 1, false});
  all.push_back({"\x1b[2J", 2, true});
  EXPECT_THAT(render_text(evaluate(all)), HasSubstr("\\x1b[2J"));
}

}  // namespace
}  // namespace iovm::analyze
