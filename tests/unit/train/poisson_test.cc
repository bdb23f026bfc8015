// SPDX-License-Identifier: Apache-2.0
#include "train/poisson.h"

#include <gtest/gtest.h>

namespace iovm::train {
namespace {

// Upper 95 % bounds of a Poisson mean, from its tables.
TEST(Poisson, SeenAlarmsBoundTheRate) {
  EXPECT_NEAR(poisson_bound(0), 2.996, 0.001);
  EXPECT_NEAR(poisson_bound(1), 4.744, 0.001);
  EXPECT_NEAR(poisson_bound(5), 10.513, 0.001);
  EXPECT_NEAR(poisson_bound(200), 224.874, 0.01);
}

// Garwood's table of two-sided 95 % limits.
TEST(Poisson, TheIntervalIsTheOneOfTheTables) {
  EXPECT_EQ(poisson_interval(0).first, 0);
  EXPECT_NEAR(poisson_interval(0).second, 3.689, 0.001);
  EXPECT_NEAR(poisson_interval(1).first, 0.0253, 0.0001);
  EXPECT_NEAR(poisson_interval(1).second, 5.572, 0.001);
  EXPECT_NEAR(poisson_interval(10).first, 4.795, 0.001);
  EXPECT_NEAR(poisson_interval(10).second, 18.390, 0.001);
}

}  // namespace
}  // namespace iovm::train
