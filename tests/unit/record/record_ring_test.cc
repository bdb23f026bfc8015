// SPDX-License-Identifier: Apache-2.0
#include "record/record_ring.h"

#include <gmock/gmock.h>

#include "record/record_merge.h"
#include "unit/record/fake_session.h"

namespace iovm::record {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::uint64_t kLater = 1'000'000'000;

class RecordRingTest : public testing::Test {
 protected:
  RecordRing open() {
    auto ring = RecordRing::over_kmod(fake.memory());
    EXPECT_TRUE(ring);
    return std::move(*ring);
  }
  static std::vector<std::uint64_t> read(RecordRing& ring) {
    std::vector<std::uint64_t> numbers;
    ring.look(kLater);
    while (auto record = ring.next()) numbers.push_back((*record)->address);
    ring.give_back();
    return numbers;
  }
  FakeKmodRing fake{8};
};

TEST_F(RecordRingTest, GivesRecordsInOrderAndGivesTheirSlotsBack) {
  RecordRing ring = open();
  for (std::uint64_t i = 1; i <= 3; ++i) fake.put(i, i);
  EXPECT_THAT(read(ring), ElementsAre(1, 2, 3));
  EXPECT_EQ(fake.used(), 0u);
}

TEST_F(RecordRingTest, GoesRoundTheEndManyTimes) {
  RecordRing ring = open();
  for (std::uint64_t i = 0; i < 100; i += 5) {
    for (std::uint64_t j = 0; j < 5; ++j) ASSERT_TRUE(fake.put(i + j, i + j));
    EXPECT_THAT(read(ring), ElementsAre(i, i + 1, i + 2, i + 3, i + 4));
  }
}

TEST_F(RecordRingTest, WhatComesAfterTheLookWaits) {
  RecordRing ring = open();
  fake.put(1, 1);
  ring.look(kLater);
  fake.put(2, 2);
  EXPECT_EQ((*ring.next())->address, 1u);
  EXPECT_FALSE(ring.next());
}

TEST_F(RecordRingTest, ARecordKeepsItsSlotWhileItLives) {
  RecordRing ring = open();
  fake.put(1, 1);
  ring.look(kLater);
  {
    auto record = ring.next();
    ring.give_back();
    EXPECT_EQ(fake.used(), 1u);
  }
  ring.give_back();
  EXPECT_EQ(fake.used(), 0u);
}

TEST_F(RecordRingTest, IsCompleteUpToTheLastRecordWhileOneIsBeingMade) {
  RecordRing ring = open();
  fake.put(500, 1);
  EXPECT_LT(ring.look(kLater), kLater);
  EXPECT_GT(ring.look(kLater), kLater - 1'000'000);
  fake.page().busy = 1;
  EXPECT_EQ(ring.look(kLater), 500u);
}

TEST_F(RecordRingTest, ABusyRingThatHasGivenAllIsStillCompleteOnlyUpToItsLastRecord) {
  RecordRing ring = open();
  fake.put(500, 1);
  read(ring);
  fake.page().busy = 1;
  EXPECT_EQ(ring.look(kLater), 500u);
}

TEST_F(RecordRingTest, AHeadThatCannotBeIsNotFollowed) {
  RecordRing ring = open();
  fake.page().head = 1000;
  EXPECT_THAT(read(ring), IsEmpty());
}

TEST_F(RecordRingTest, AnotherAbiIsRefusedByItsNumber) {
  fake.page().abi = 7;
  auto ring = RecordRing::over_kmod(fake.memory());
  ASSERT_FALSE(ring);
  EXPECT_THAT(ring.error().message(), HasSubstr("ABI 7"));
}

TEST_F(RecordRingTest, SlotsThatDoNotFitAreRefused) {
  fake.page().slots = 1000;
  EXPECT_FALSE(RecordRing::over_kmod(fake.memory()));
  fake.page().slots = 8;
  fake.page().data = 1 << 20;
  EXPECT_FALSE(RecordRing::over_kmod(fake.memory()));
  EXPECT_FALSE(RecordRing::over_kmod(fake.memory().first(100)));
}

class RecordMergeTest : public testing::Test {
 protected:
  RecordMerge open() {
    std::vector<RecordRing> rings;
    for (FakeKmodRing& fake : fakes)
      rings.push_back(std::move(*RecordRing::over_kmod(fake.memory())));
    return RecordMerge(std::move(rings));
  }
  static std::vector<std::uint64_t> round(RecordMerge& merge, std::uint64_t now) {
    std::vector<std::uint64_t> times;
    merge.begin_round(now);
    while (const iovm_record* record = merge.next()) times.push_back(record->time);
    return times;
  }
  std::deque<FakeKmodRing> fakes = [] {
    std::deque<FakeKmodRing> three;
    for (std::uint32_t cpu = 0; cpu < 3; ++cpu) three.emplace_back(64, cpu);
    return three;
  }();
};

TEST_F(RecordMergeTest, ManyRingsAreOneStreamInTimeOrder) {
  RecordMerge merge = open();
  for (std::uint64_t t : {10, 40, 41}) fakes[0].put(t, 1);
  for (std::uint64_t t : {20, 21, 50}) fakes[1].put(t, 1);
  fakes[2].put(30, 1);
  EXPECT_THAT(round(merge, kLater), ElementsAre(10, 20, 21, 30, 40, 41, 50));
  EXPECT_EQ(fakes[0].used() + fakes[1].used() + fakes[2].used(), 0u);
}

TEST_F(RecordMergeTest, YoungerRecordsThanTheBoundWaitForTheNextRound) {
  RecordMerge merge = open();
  fakes[0].put(100, 1);
  fakes[1].put(kLater + 5, 1);
  EXPECT_THAT(round(merge, kLater), ElementsAre(100));
  EXPECT_THAT(round(merge, 2 * kLater), ElementsAre(kLater + 5));
}

TEST_F(RecordMergeTest, ACpuInTheMiddleOfARecordHoldsTheOthersBack) {
  RecordMerge merge = open();
  fakes[0].put(100, 1);
  fakes[1].put(200, 1);
  fakes[1].put(300, 1);
  fakes[0].page().busy = 1;
  EXPECT_THAT(round(merge, kLater), ElementsAre(100));
  fakes[0].put(250, 1);
  fakes[0].page().busy = 0;
  EXPECT_THAT(round(merge, kLater), ElementsAre(200, 250, 300));
}

TEST_F(RecordMergeTest, AtTheEndNothingIsHeldBack) {
  RecordMerge merge = open();
  fakes[0].put(kLater * 3, 1);
  EXPECT_THAT(round(merge, RecordMerge::kEverything), ElementsAre(kLater * 3));
}

TEST_F(RecordMergeTest, NoRingsAreAnEmptyStream) {
  RecordMerge merge(std::vector<RecordRing>{});
  EXPECT_THAT(round(merge, kLater), IsEmpty());
}

}  // namespace
}  // namespace iovm::record
