// SPDX-License-Identifier: Apache-2.0
#include "detect/rule_asking.h"

#include <gtest/gtest.h>

namespace iovm::detect {
namespace {

class RuleAttemptsTest : public testing::Test {
 protected:
  static RuleSet rules(Per per) {
    RuleSet set;
    set.rules.resize(70);
    for (Rule& rule : set.rules) rule.per = per;
    return set;
  }
};

TEST_F(RuleAttemptsTest, AnAttemptOnOneDeviceIsNothingToAnother) {
  RuleSet set = rules(Per::device);
  RuleAttempts attempts(set);
  attempts.began(set.rules[3], 3, 1);
  EXPECT_EQ(attempts.on(1), kFirstStep | bit_of(3));
  EXPECT_EQ(attempts.on(0), kFirstStep);
  EXPECT_EQ(attempts.on(2), kFirstStep);
  attempts.ended(set.rules[3], 3, 1);
  EXPECT_EQ(attempts.on(1), kFirstStep);
}

TEST_F(RuleAttemptsTest, OneOfAProcessIsUnderWayOnAllDevicesUntilTheLastEnds) {
  RuleSet set = rules(Per::process);
  RuleAttempts attempts(set);
  attempts.began(set.rules[3], 3, 1);
  attempts.began(set.rules[3], 3, 2);
  EXPECT_EQ(attempts.on(7), kFirstStep | bit_of(3));
  attempts.ended(set.rules[3], 3, 1);
  EXPECT_EQ(attempts.on(7), kFirstStep | bit_of(3));
  attempts.ended(set.rules[3], 3, 2);
  EXPECT_EQ(attempts.on(7), kFirstStep);
}

TEST_F(RuleAttemptsTest, RulesThatShareABitNeverTakeItBack) {
  for (Per per : {Per::device, Per::vm}) {
    RuleSet set = rules(per);
    RuleAttempts attempts(set);
    attempts.began(set.rules[64], 64, 1);
    attempts.began(set.rules[65], 65, 1);
    attempts.ended(set.rules[64], 64, 1);
    EXPECT_NE(attempts.on(1) & bit_of(65), 0U);
  }
}

}  // namespace
}  // namespace iovm::detect
