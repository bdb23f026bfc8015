// SPDX-License-Identifier: Apache-2.0
#include "base/result.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>

namespace iovm {
namespace {

Result<int> half(int n) {
  if (n % 2 != 0) return input_error("odd");
  return n / 2;
}

Result<int> quarter(int n) {
  auto once = half(n);
  if (!once) return std::move(once).error().in("first half");
  auto twice = half(*once);
  if (!twice) return std::move(twice).error().in("second half").in("quarter");
  return *twice;
}

TEST(Result, HoldsItsValue) {
  EXPECT_EQ(*quarter(12), 3);
}

TEST(Result, CollectsThePlacesOnTheWayUp) {
  auto result = quarter(6);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message(), "quarter: second half: odd");
  EXPECT_EQ(result.error().fault(), Fault::input);
}

TEST(Result, CarriesWhatCanOnlyBeMoved) {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(7));
  std::unique_ptr<int> out = *std::move(result);
  EXPECT_EQ(*out, 7);
}

TEST(Result, OfNothingIsDoneOrAnError) {
  EXPECT_TRUE(Status());
  EXPECT_FALSE(Status(host_error("no")));
}

TEST(Result, ErrnoIsSaidInWords) {
  EXPECT_EQ(errno_error("writing", ENOSPC).message(), "writing: No space left on device");
  EXPECT_EQ(errno_error("writing", ENOSPC).fault(), Fault::host);
}

}  // namespace
}  // namespace iovm
