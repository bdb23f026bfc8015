// SPDX-License-Identifier: Apache-2.0
#include "model/counting_sort.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace iovm::model {
namespace {

TEST(CountingSortTest, OrdersByOneKeyAfterTheOther) {
  const std::vector<std::size_t> first = {2, 0, 2, 1, 0};
  const std::vector<std::size_t> second = {1, 4, 0, 4, 3};
  CountingSort sort(first.size());
  sort.by(5, [&](std::uint32_t i) { return second[i]; });
  sort.by(3, [&](std::uint32_t i) { return first[i]; });
  EXPECT_THAT(sort.order(), testing::ElementsAre(4, 1, 3, 2, 0));
}

TEST(CountingSortTest, ItemsOfOneKeyStayAsTheyWere) {
  CountingSort sort(4);
  sort.by(1, [](std::uint32_t) { return std::size_t{0}; });
  EXPECT_THAT(sort.order(), testing::ElementsAre(0, 1, 2, 3));
}

TEST(CountingSortTest, NothingIsSorted) {
  CountingSort sort(0);
  sort.by(3, [](std::uint32_t) { return std::size_t{0}; });
  EXPECT_TRUE(sort.order().empty());
}

}  // namespace
}  // namespace iovm::model
