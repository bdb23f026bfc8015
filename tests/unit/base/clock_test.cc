// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"

#include <gtest/gtest.h>

#include <ctime>

namespace iovm {
namespace {

TEST(Clock, MonotonicPlusOffsetIsUtc) {
  auto utc = static_cast<std::int64_t>(monotonic_ns()) + utc_offset_ns();
  EXPECT_NEAR(static_cast<double>(utc) / 1e9, static_cast<double>(std::time(nullptr)), 2.0);
}

TEST(UtcText, IsIso8601) {
  EXPECT_EQ(utc_text(0), "1970-01-01T00:00:00.000000000Z");
  EXPECT_EQ(utc_text(1'700'000'000'000'000'001), "2023-11-14T22:13:20.000000001Z");
  EXPECT_EQ(utc_text(-1), "1969-12-31T23:59:59.999999999Z");
}

}  // namespace
}  // namespace iovm
