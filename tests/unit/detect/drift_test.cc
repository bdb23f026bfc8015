// SPDX-License-Identifier: Apache-2.0
#include "detect/drift.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace iovm::detect {
namespace {

class DriftTest : public testing::Test {
 protected:
  DriftTest() {
    for (int i = 0; i < 300; ++i) calibration.scores.push_back(normal(random));
    std::ranges::sort(calibration.scores, std::greater<>());
  }
  std::optional<Drift::Finding> after(int sessions, double shift) {
    Drift drift(calibration);
    for (int i = 0; i < sessions; ++i) drift.add(normal(random) + shift);
    return drift.found();
  }

  std::mt19937 random{1};
  std::normal_distribution<double> normal;
  model::Calibration calibration;
};

TEST_F(DriftTest, TheSameWorkIsNoDrift) {
  int found = 0;
  for (int i = 0; i < 200; ++i) found += after(200, 0) ? 1 : 0;
  EXPECT_LE(found, 2);  // one in a thousand is
}

TEST_F(DriftTest, OtherWorkIsFound) {
  auto found = after(200, 0.6);
  ASSERT_TRUE(found);
  EXPECT_GT(found->distance, 0.15);
  EXPECT_LT(found->p_value, Drift::kSure);
  EXPECT_EQ(found->sessions, 200u);
}

TEST_F(DriftTest, AFewSessionsSayNothing) {
  EXPECT_FALSE(after(49, 5));
  calibration.scores.resize(19);
  EXPECT_FALSE(after(200, 5));
}

TEST_F(DriftTest, LowerScoresBreakNoPromise) {
  EXPECT_FALSE(after(200, -2));
}

TEST_F(DriftTest, OnlyTheLastSessionsCount) {
  Drift drift(calibration);
  for (int i = 0; i < 1000; ++i) drift.add(9);
  EXPECT_TRUE(drift.found());
  for (int i = 0; i < 200; ++i) drift.add(normal(random));
  EXPECT_FALSE(drift.found());
}

}  // namespace
}  // namespace iovm::detect
