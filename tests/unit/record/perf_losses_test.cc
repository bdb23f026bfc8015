// SPDX-License-Identifier: Apache-2.0
#include "record/perf_losses.h"

#include <gtest/gtest.h>

namespace iovm::record {
namespace {

TEST(PerfLossesTest, ALostRecordIsNews) {
  PerfLosses losses;
  EXPECT_EQ(losses.record(7), 7u);
  EXPECT_EQ(losses.record(2), 2u);
  EXPECT_EQ(losses.told(), 9u);
}

TEST(PerfLossesTest, WhatTheCountHasMoreIsMissingAtTheEndThatWasSeen) {
  PerfLosses losses;
  losses.counted(12, 4096);
  EXPECT_EQ(losses.record(7), 7u);  // in front of that end
  EXPECT_EQ(losses.reached(4000), 0u);
  EXPECT_EQ(losses.reached(4096), 5u);
  EXPECT_EQ(losses.reached(4100), 0u);
}

TEST(PerfLossesTest, TheLostRecordThatComesLaterIsNoNews) {
  PerfLosses losses;
  losses.counted(5, 4096);
  EXPECT_EQ(losses.reached(4096), 5u);
  EXPECT_EQ(losses.record(6), 1u);  // one more was lost after the count
  EXPECT_EQ(losses.told(), 6u);
}

TEST(PerfLossesTest, ALaterCountTakesThePlaceOfOneThatWasNotReached) {
  PerfLosses losses;
  losses.counted(5, 4096);
  losses.counted(8, 6000);
  EXPECT_EQ(losses.record(5), 5u);  // of the first gap: records followed it
  EXPECT_EQ(losses.reached(6000), 3u);
}

}  // namespace
}  // namespace iovm::record
