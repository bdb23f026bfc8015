// SPDX-License-Identifier: Apache-2.0
#include "record/read_joiner.h"

#include <gtest/gtest.h>

#include <vector>

namespace iovm::record {
namespace {

using trace::Direction;
using trace::Event;
using trace::EventKind;
using trace::Field;

class ReadJoinerTest : public testing::Test {
 protected:
  static Event load(std::uint64_t time, std::uint64_t address) {
    Event e;
    e.time = time;
    e.kind = EventKind::mmio;
    e.address = address;
    return e;
  }
  void begins(std::uint64_t time, int tid, std::uint64_t address) {
    joiner.add(tid, Decoded::read_begins, load(time, address));
  }
  void ends(std::uint64_t time, int tid, std::uint64_t address, std::uint64_t value) {
    Event e = load(time, address);
    set_value(e, value);
    joiner.add(tid, Decoded::event, e);
  }
  void port(std::uint64_t time, int tid) {
    Event e;
    e.time = time;
    joiner.add(tid, Decoded::event, e);
  }
  // The times of what comes out.
  static std::vector<std::uint64_t> times(std::span<const Event> events) {
    std::vector<std::uint64_t> out;
    for (const Event& e : events) out.push_back(e.time);
    return out;
  }
  using Times = std::vector<std::uint64_t>;

  ReadJoiner joiner{std::chrono::nanoseconds(1000)};
};

TEST_F(ReadJoinerTest, TwoRecordsBecomeOneEventWithTheFirstTimeAndTheLastValue) {
  begins(10, 1, 0xfed000f0);
  ends(12, 1, 0xfed000f0, 7);
  auto out = joiner.take(12);
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(out[0].time, 10u);
  EXPECT_EQ(out[0].value, 7u);
}

TEST_F(ReadJoinerTest, AReadThatNeverLeftTheKernelIsOneEvent) {
  ends(12, 1, 0xfee00000, 7);
  EXPECT_EQ(times(joiner.take(12)), Times{12});
}

TEST_F(ReadJoinerTest, WhatFollowsAnOpenReadWaitsForIt) {
  port(5, 2);
  begins(10, 1, 0xa0000);
  port(11, 2);
  EXPECT_EQ(times(joiner.take(11)), Times{5});
  EXPECT_EQ(joiner.waiting(), 2u);
  ends(12, 1, 0xa0000, 7);
  EXPECT_EQ(times(joiner.take(12)), (Times{10, 11}));
  EXPECT_EQ(joiner.waiting(), 0u);
}

TEST_F(ReadJoinerTest, OpenReadsOfTwoThreadsDoNotMix) {
  begins(10, 1, 0xa0000);
  begins(11, 2, 0xa0000);
  ends(12, 2, 0xa0000, 22);
  ends(13, 1, 0xa0000, 11);
  auto out = joiner.take(13);
  ASSERT_EQ(times(out), (Times{10, 11}));
  EXPECT_EQ(out[0].value, 11u);
  EXPECT_EQ(out[1].value, 22u);
}

TEST_F(ReadJoinerTest, AnAnswerThatTakesTooLongStandsWhereItCame) {
  begins(10, 1, 0xa0000);
  port(11, 2);
  port(5000, 2);
  EXPECT_EQ(times(joiner.take(5000)), (Times{11, 5000}));
  ends(6000, 1, 0xa0000, 7);
  auto out = joiner.take(6000);
  ASSERT_EQ(times(out), Times{6000});
  EXPECT_EQ(out[0].value, 7u);
}

TEST_F(ReadJoinerTest, AReadThatNeverEndsComesOutWithoutAValue) {
  begins(10, 1, 0xa0000);
  port(11, 1);
  auto out = joiner.take(11);
  ASSERT_EQ(times(out), (Times{10, 11}));
  EXPECT_FALSE(out[0].has(Field::value));
}

TEST_F(ReadJoinerTest, ASecondReadClosesTheFirst) {
  begins(10, 1, 0xa0000);
  begins(20, 1, 0xb0000);
  ends(21, 1, 0xb0000, 7);
  auto out = joiner.take(21);
  ASSERT_EQ(times(out), (Times{10, 20}));
  EXPECT_FALSE(out[0].has(Field::value));
  EXPECT_TRUE(out[1].has(Field::value));
}

TEST_F(ReadJoinerTest, ALateReadThatNeverEndsKeepsTheTimesInOrder) {
  begins(10, 1, 0xa0000);
  port(5000, 2);
  EXPECT_EQ(times(joiner.take(5000)), Times{5000});
  EXPECT_EQ(times(joiner.take_all()), Times{5000});
}

TEST_F(ReadJoinerTest, ALossDoesNotEndARead) {
  begins(10, 1, 0xa0000);
  joiner.add(1, Decoded::event, trace::make_loss(11, 0, {}, {trace::LossCause::ring, 3}));
  ends(12, 1, 0xa0000, 7);
  auto out = joiner.take(12);
  ASSERT_EQ(times(out), (Times{10, 11}));
  EXPECT_EQ(out[0].value, 7u);
}

TEST_F(ReadJoinerTest, TheEndLetsEverythingOut) {
  begins(10, 1, 0xa0000);
  port(11, 2);
  EXPECT_EQ(times(joiner.take_all()), (Times{10, 11}));
}

TEST_F(ReadJoinerTest, NoLongStreamWaitsForOneRead) {
  begins(0, 1, 0xa0000);
  for (std::uint64_t i = 1; i <= 70'000; ++i) port(1, 2);
  EXPECT_EQ(joiner.take(1).size(), 70'000u);
}

}  // namespace
}  // namespace iovm::record
