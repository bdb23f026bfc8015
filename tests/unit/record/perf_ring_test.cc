// SPDX-License-Identifier: Apache-2.0
#include "record/perf_ring.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "record/perf_records.h"
#include "unit/record/fake_ring.h"

namespace iovm::record {
namespace {

std::uint32_t number_in(const PerfRing::Record& record) {
  auto sample = read_sample(record.body());
  return sample && sample->raw.size() == 4 ? load_at<std::uint32_t>(sample->raw, 0) : 0xffffffff;
}

class PerfRingTest : public testing::Test {
 protected:
  // The number in the next record, which is consumed; -1: there is none.
  std::int64_t take() {
    auto record = ring.next();
    return record ? std::int64_t{number_in(*record)} : -1;
  }
  std::uint64_t tail() { return fake.head_page().data_tail; }

  FakeRing fake;
  PerfRing ring = PerfRing::over(fake.memory());
};

TEST_F(PerfRingTest, AnEmptyRingHasNoRecord) {
  ring.look();
  EXPECT_FALSE(ring.next());
}

TEST_F(PerfRingTest, RecordsComeInTheOrderOfWriting) {
  fake.sample(1, 11);
  fake.sample(2, 22);
  ring.look();
  EXPECT_EQ(take(), 11);
  EXPECT_EQ(take(), 22);
  EXPECT_EQ(take(), -1);
}

TEST_F(PerfRingTest, WhatIsWrittenAfterTheLookWaitsForTheNext) {
  fake.sample(1, 11);
  ring.look();
  fake.sample(2, 22);
  EXPECT_EQ(take(), 11);
  EXPECT_EQ(take(), -1);
  ring.look();
  EXPECT_EQ(take(), 22);
}

TEST_F(PerfRingTest, ARecordIsConsumedByItsEndOnly) {
  fake.sample(1, 11);
  ring.look();
  {
    auto record = ring.next();
    ring.give_back();
    EXPECT_EQ(tail(), 0u);
  }
  ring.give_back();
  EXPECT_EQ(tail(), fake.head_page().data_head);
}

TEST_F(PerfRingTest, AMovedFromRecordConsumesNothing) {
  fake.sample(1, 11);
  fake.sample(2, 22);
  ring.look();
  {
    auto first = ring.next();
    PerfRing::Record second = std::move(*first);
    first.reset();
    ring.give_back();
    EXPECT_EQ(tail(), 0u);
  }
  EXPECT_EQ(take(), 22);
}

TEST_F(PerfRingTest, ManyTurnsOfTheRingLoseNothing) {
  std::uint32_t written = 0;
  std::uint32_t read = 0;
  while (written < 10'000) {
    for (int i = 0; i < 37 && fake.sample(written, written); ++i) ++written;
    ring.look();
    for (std::int64_t number; (number = take()) >= 0; ++read) ASSERT_EQ(number, read);
    ring.give_back();
  }
  EXPECT_EQ(read, written);
}

TEST_F(PerfRingTest, ARecordRoundTheEndIsOnePiece) {
  std::vector<std::byte> filler(8 * 301 - 8);
  fake.write(PERF_RECORD_SAMPLE, filler);
  ring.look();
  { auto record = ring.next(); }
  ring.give_back();
  std::vector<std::byte> long_one(8 * 300);
  for (std::size_t i = 0; i < long_one.size(); ++i) long_one[i] = static_cast<std::byte>(i * 7);
  ASSERT_TRUE(fake.write(77, long_one));
  ring.look();
  auto record = ring.next();
  ASSERT_TRUE(record);
  EXPECT_EQ(record->type(), 77u);
  EXPECT_TRUE(std::ranges::equal(record->body(), long_one));
}

TEST_F(PerfRingTest, SpaceIsGivenBackBeforeTheRingIsThroughIfThereIsMuch) {
  while (fake.sample(1, 1)) {
  }
  ring.look();
  for (int i = 0; i < 60; ++i) take();
  EXPECT_GT(tail(), 0u);
  EXPECT_TRUE(fake.sample(2, 2));
}

TEST_F(PerfRingTest, ARecordOfNoSizeIsPassedOverToTheHead) {
  fake.write(PERF_RECORD_SAMPLE, std::vector<std::byte>(24), 0);
  fake.sample(1, 11);
  ring.look();
  EXPECT_EQ(take(), -1);
  EXPECT_EQ(ring.torn_bytes(), 64u);
  fake.sample(2, 22);
  ring.look();
  EXPECT_EQ(take(), 22);
}

TEST_F(PerfRingTest, ARecordLongerThanWhatIsThereIsPassedOver) {
  fake.write(PERF_RECORD_SAMPLE, std::vector<std::byte>(24), 4096);
  ring.look();
  EXPECT_EQ(take(), -1);
  EXPECT_EQ(ring.torn_bytes(), 32u);
}

TEST_F(PerfRingTest, AHeadBeyondTheRingIsPassedOver) {
  fake.head_page().data_head = 1'000'000;
  ring.look();
  EXPECT_EQ(take(), -1);
  EXPECT_EQ(tail(), 1'000'000u);
}

TEST(PerfRecords, ASampleWhoseRawBytesEndEarlyIsNone) {
  std::vector<std::byte> body(24);
  body[16] = std::byte{5};
  EXPECT_FALSE(read_sample(body));
  body[16] = std::byte{4};
  EXPECT_TRUE(read_sample(body));
  EXPECT_FALSE(read_sample(std::span<const std::byte>(body).first(19)));
}

}  // namespace
}  // namespace iovm::record
