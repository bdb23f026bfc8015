// SPDX-License-Identifier: Apache-2.0
#include "record/kmod_ring.h"

#include <gmock/gmock.h>

#include "record/kmod_merge.h"
#include "unit/record/kmod_fake.h"

namespace iovm::record {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::uint64_t kLater = 1'000'000'000;

class KmodRingTest : public testing::Test {
 protected:
  KmodRing open() {
    auto ring = KmodRing::over(fake.memory());
    EXPECT_TRUE(ring);
    return std::move(*ring);
  }
  static std::vector<std::uint64_t> read(KmodRing& ring) {
    std::vector<std::uint64_t> numbers;
    ring.look(kLater);
    while (auto record = ring.next()) numbers.push_back((*record)->address);
    ring.give_back();
    return numbers;
  }
  FakeKmodRing fake{8};
};

TEST_F(KmodRingTest, GivesRecordsInOrderAndGivesTheirSlotsBack) {
  KmodRing ring = open();
  for (std::uint64_t i = 1; i <= 3; ++i) fake.put(i, i);
  EXPECT_THAT(read(ring), ElementsAre(1, 2, 3));
  EXPECT_EQ(fake.used(), 0u);
}

TEST_F(KmodRingTest, GoesRoundTheEndManyTimes) {
  KmodRing ring = open();
  for (std::uint64_t i = 0; i < 100; i += 5) {
    for (std::uint64_t j = 0; j < 5; ++j) ASSERT_TRUE(fake.put(i + j, i + j));
    EXPECT_THAT(read(ring), ElementsAre(i, i + 1, i + 2, i + 3, i + 4));
  }
}

TEST_F(KmodRingTest, WhatComesAfterTheLookWaits) {
  KmodRing ring = open();
  fake.put(1, 1);
  ring.look(kLater);
  fake.put(2, 2);
  EXPECT_EQ((*ring.next())->address, 1u);
  EXPECT_FALSE(ring.next());
}

TEST_F(KmodRingTest, ARecordKeepsItsSlotWhileItLives) {
  KmodRing ring = open();
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

TEST_F(KmodRingTest, IsCompleteUpToTheLastRecordWhileOneIsBeingMade) {
  KmodRing ring = open();
  fake.put(500, 1);
  EXPECT_LT(ring.look(kLater), kLater);
  EXPECT_GT(ring.look(kLater), kLater - 1'000'000);
  fake.page().busy = 1;
  EXPECT_EQ(ring.look(kLater), 500u);
}

TEST_F(KmodRingTest, ABusyRingThatHasGivenAllIsStillCompleteOnlyUpToItsLastRecord) {
  KmodRing ring = open();
  fake.put(500, 1);
  read(ring);
  fake.page().busy = 1;
  EXPECT_EQ(ring.look(kLater), 500u);
}

TEST_F(KmodRingTest, AHeadThatCannotBeIsNotFollowed) {
  KmodRing ring = open();
  fake.page().head = 1000;
  EXPECT_THAT(read(ring), IsEmpty());
}

TEST_F(KmodRingTest, AnotherAbiIsRefusedByItsNumber) {
  fake.page().abi = 7;
  auto ring = KmodRing::over(fake.memory());
  ASSERT_FALSE(ring);
  EXPECT_THAT(ring.error().message(), HasSubstr("ABI 7"));
}

TEST_F(KmodRingTest, SlotsThatDoNotFitAreRefused) {
  fake.page().slots = 1000;
  EXPECT_FALSE(KmodRing::over(fake.memory()));
  fake.page().slots = 8;
  fake.page().data = 1 << 20;
  EXPECT_FALSE(KmodRing::over(fake.memory()));
  EXPECT_FALSE(KmodRing::over(fake.memory().first(100)));
}

class KmodMergeTest : public testing::Test {
 protected:
  KmodMerge open() {
    std::vector<KmodRing> rings;
    for (FakeKmodRing& fake : fakes) rings.push_back(std::move(*KmodRing::over(fake.memory())));
    return KmodMerge(std::move(rings));
  }
  static std::vector<std::uint64_t> round(KmodMerge& merge, std::uint64_t now) {
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

TEST_F(KmodMergeTest, ManyRingsAreOneStreamInTimeOrder) {
  KmodMerge merge = open();
  for (std::uint64_t t : {10, 40, 41}) fakes[0].put(t, 1);
  for (std::uint64_t t : {20, 21, 50}) fakes[1].put(t, 1);
  fakes[2].put(30, 1);
  EXPECT_THAT(round(merge, kLater), ElementsAre(10, 20, 21, 30, 40, 41, 50));
  EXPECT_EQ(fakes[0].used() + fakes[1].used() + fakes[2].used(), 0u);
}

TEST_F(KmodMergeTest, YoungerRecordsThanTheBoundWaitForTheNextRound) {
  KmodMerge merge = open();
  fakes[0].put(100, 1);
  fakes[1].put(kLater + 5, 1);
  EXPECT_THAT(round(merge, kLater), ElementsAre(100));
  EXPECT_THAT(round(merge, 2 * kLater), ElementsAre(kLater + 5));
}

TEST_F(KmodMergeTest, ACpuInTheMiddleOfARecordHoldsTheOthersBack) {
  KmodMerge merge = open();
  fakes[0].put(100, 1);
  fakes[1].put(200, 1);
  fakes[1].put(300, 1);
  fakes[0].page().busy = 1;
  EXPECT_THAT(round(merge, kLater), ElementsAre(100));
  fakes[0].put(250, 1);
  fakes[0].page().busy = 0;
  EXPECT_THAT(round(merge, kLater), ElementsAre(200, 250, 300));
}

TEST_F(KmodMergeTest, AtTheEndNothingIsHeldBack) {
  KmodMerge merge = open();
  fakes[0].put(kLater * 3, 1);
  EXPECT_THAT(round(merge, KmodMerge::kEverything), ElementsAre(kLater * 3));
}

TEST_F(KmodMergeTest, NoRingsAreAnEmptyStream) {
  KmodMerge merge(std::vector<KmodRing>{});
  EXPECT_THAT(round(merge, kLater), IsEmpty());
}

}  // namespace
}  // namespace iovm::record
