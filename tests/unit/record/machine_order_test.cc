// SPDX-License-Identifier: Apache-2.0
#include "record/machine_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace iovm::record {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class MachineOrderTest : public testing::Test {
 protected:
  static void add(MachineOrder& order, std::initializer_list<std::uint64_t> times) {
    for (std::uint64_t time : times) {
      trace::Event event;
      event.time = time;
      order.add(1, Decoded::event, event);
    }
  }
  static std::vector<std::uint64_t> take(MachineOrder& order) {
    std::vector<std::uint64_t> times;
    for (const trace::Event& event : order.take()) times.push_back(event.time);
    return times;
  }
  MachineOrder order_;
};

TEST_F(MachineOrderTest, NothingComesOutBeforeItsRoundIsOver) {
  add(order_, {30, 10});
  EXPECT_THAT(take(order_), IsEmpty());
  order_.end_of_round();
  EXPECT_THAT(take(order_), IsEmpty());  // the next round may bring what is older than 30
  add(order_, {20, 40});
  order_.end_of_round();
  EXPECT_THAT(take(order_), ElementsAre(10, 20, 30));
  order_.end();
  EXPECT_THAT(take(order_), ElementsAre(40));
  EXPECT_EQ(order_.late(), 0u);
}

TEST_F(MachineOrderTest, EqualTimesKeepTheOrderOfTheFile) {
  for (std::uint64_t value : {1, 2, 3}) {
    trace::Event event;
    event.time = 7;
    event.address = value;
    order_.add(1, Decoded::event, event);
  }
  order_.end();
  auto events = order_.take();
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].address, 1u);
  EXPECT_EQ(events[2].address, 3u);
}

TEST_F(MachineOrderTest, WithoutRoundsTheOlderHalfGoesWhenItIsFull) {
  MachineOrder small(4);
  add(small, {40, 10, 30, 20});
  EXPECT_THAT(take(small), ElementsAre(10, 20, 30));
  small.end();
  EXPECT_THAT(take(small), ElementsAre(40));
}

TEST_F(MachineOrderTest, WhatComesTooLateTakesTheTimeOfItsPlaceAndIsCounted) {
  add(order_, {10, 50});
  order_.end_of_round();
  order_.end_of_round();
  EXPECT_THAT(take(order_), ElementsAre(10, 50));
  add(order_, {20});
  order_.end();
  EXPECT_THAT(take(order_), ElementsAre(50));
  EXPECT_EQ(order_.late(), 1u);
}

}  // namespace
}  // namespace iovm::record
