// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "record/record_merge.h"
#include "record/record_ring.h"
#include "unit/record/fake_bpf_ring.h"

namespace iovm::record {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::uint64_t kLater = 1'000'000'000;

class BpfRingTest : public testing::Test {
 protected:
  RecordRing open() {
    auto ring = RecordRing::over_bpf(fake.consumed(), fake.produced());
    EXPECT_TRUE(ring);
    return std::move(*ring);
  }
  static std::vector<std::uint64_t> read(RecordRing& ring) {
    std::vector<std::uint64_t> times;
    ring.look(kLater);
    while (auto record = ring.next()) times.push_back((*record)->time);
    ring.give_back();
    return times;
  }
  FakeBpfRing fake;
};

TEST_F(BpfRingTest, GivesRecordsInOrderAndGivesTheirBytesBack) {
  RecordRing ring = open();
  for (std::uint64_t t : {1, 2, 3}) fake.put(t);
  EXPECT_THAT(read(ring), ElementsAre(1, 2, 3));
  EXPECT_EQ(fake.used(), 0u);
}

TEST_F(BpfRingTest, RecordsThatLieAcrossTheEndAreWhole) {
  RecordRing ring = open();
  for (std::uint64_t t = 1; t < 1000; t += 7) {
    for (std::uint64_t i = 0; i < 7; ++i) ASSERT_TRUE(fake.put(t + i));
    EXPECT_THAT(read(ring), ElementsAre(t, t + 1, t + 2, t + 3, t + 4, t + 5, t + 6));
  }
}

TEST_F(BpfRingTest, HoldsAsManyAsItSays) {
  RecordRing ring = open();
  EXPECT_EQ(ring.slots(), fake.fits());
  for (std::uint64_t t = 1; t <= fake.fits(); ++t) ASSERT_TRUE(fake.put(t));
  EXPECT_FALSE(fake.put(1));
  EXPECT_EQ(read(ring).size(), fake.fits());
  EXPECT_TRUE(fake.put(2));
}

TEST_F(BpfRingTest, WhatIsThrownAwayIsNotSeen) {
  RecordRing ring = open();
  fake.put(1);
  fake.discard(*fake.reserve());
  fake.put(3);
  fake.discard(*fake.reserve());
  EXPECT_THAT(read(ring), ElementsAre(1, 3));
  EXPECT_EQ(fake.used(), 0u);
}

TEST_F(BpfRingTest, IsCompleteUpToTheLastRecordWhileOneIsReserved) {
  RecordRing ring = open();
  fake.put(500);
  EXPECT_GT(ring.look(kLater), kLater - 1'000'000);
  auto place = fake.reserve();
  fake.put(700);
  EXPECT_EQ(ring.look(kLater), 500u);
  EXPECT_THAT(read(ring), ElementsAre(500));
  fake.commit(*place, FakeBpfRing::record_of(600));
  EXPECT_GT(ring.look(kLater), kLater - 1'000'000);
  EXPECT_THAT(read(ring), ElementsAre(600, 700));
}

TEST_F(BpfRingTest, ATimeThatWasThrownAwayIsNoBound) {
  RecordRing ring = open();
  fake.put(500);
  auto place = fake.reserve();
  fake.commit(*place, FakeBpfRing::record_of(900));
  fake.discard(*place);
  fake.reserve();
  EXPECT_EQ(ring.look(kLater), 500u);
}

TEST_F(BpfRingTest, ALengthThatIsNotOursIsNotFollowed) {
  RecordRing ring = open();
  fake.put(1);
  fake.spoil(*fake.reserve());
  fake.put(3);
  EXPECT_THAT(read(ring), ElementsAre(1));
}

TEST_F(BpfRingTest, ASizeThatIsNoneIsRefused) {
  EXPECT_FALSE(RecordRing::over_bpf(fake.consumed(), fake.produced().first(100)));
  EXPECT_FALSE(RecordRing::over_bpf({}, fake.produced()));
  FakeBpfRing odd(3);
  EXPECT_FALSE(RecordRing::over_bpf(odd.consumed(), odd.produced()));
}

TEST_F(BpfRingTest, AReservedRecordHoldsTheMergeBack) {
  FakeBpfRing other;
  std::vector<RecordRing> rings;
  rings.push_back(open());
  rings.push_back(std::move(*RecordRing::over_bpf(other.consumed(), other.produced())));
  RecordMerge merge(std::move(rings));
  auto round = [&merge] {
    std::vector<std::uint64_t> times;
    merge.begin_round(kLater);
    while (const iovm_record* record = merge.next()) times.push_back(record->time);
    return times;
  };
  fake.put(100);
  auto place = fake.reserve();
  other.put(200);
  EXPECT_THAT(round(), ElementsAre(100));
  fake.commit(*place, FakeBpfRing::record_of(150));
  EXPECT_THAT(round(), ElementsAre(150, 200));
  EXPECT_THAT(round(), IsEmpty());
}

}  // namespace
}  // namespace iovm::record
