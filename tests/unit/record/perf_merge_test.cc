// SPDX-License-Identifier: Apache-2.0
#include "record/perf_merge.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "record/perf_records.h"
#include "unit/record/fake_ring.h"

namespace iovm::record {
namespace {

class PerfMergeTest : public testing::Test {
 protected:
  PerfMergeTest() {
    for (PerfRing& ring : rings) merge.add(ring);
  }
  // The times of all records of one round.
  std::vector<std::uint64_t> round(std::uint64_t bound = ~std::uint64_t{0}) {
    std::vector<std::uint64_t> out;
    merge.begin_round(bound);
    while (auto item = merge.next()) out.push_back(item->time);
    return out;
  }
  using Times = std::vector<std::uint64_t>;

  std::array<FakeRing, 3> cpu;
  std::array<PerfRing, 3> rings = {PerfRing::over(cpu[0].memory()), PerfRing::over(cpu[1].memory()),
                                   PerfRing::over(cpu[2].memory())};
  PerfMerge merge;
};

TEST_F(PerfMergeTest, NoRecordsAreAnEmptyRound) {
  EXPECT_EQ(round(), Times{});
  EXPECT_EQ(round(), Times{});
}

TEST_F(PerfMergeTest, RecordsOfAllCpusComeByTime) {
  for (std::uint64_t time : {1, 2, 6}) cpu[0].sample(time, 0);
  for (std::uint64_t time : {3, 4, 9}) cpu[1].sample(time, 0);
  for (std::uint64_t time : {5, 7, 8}) cpu[2].sample(time, 0);
  EXPECT_EQ(round(), (Times{1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

TEST_F(PerfMergeTest, WhatIsYoungerThanTheBoundWaits) {
  cpu[0].sample(1, 0);
  cpu[0].sample(20, 0);
  cpu[1].sample(10, 0);
  EXPECT_EQ(round(10), (Times{1, 10}));
  cpu[1].sample(15, 0);
  EXPECT_EQ(round(30), (Times{15, 20}));
}

TEST_F(PerfMergeTest, ARecordThatComesAfterItsRoundIsNotDropped) {
  cpu[0].sample(10, 0);
  EXPECT_EQ(round(10), Times{10});
  cpu[1].sample(5, 0);
  cpu[0].sample(11, 0);
  EXPECT_EQ(round(20), (Times{5, 11}));
}

TEST_F(PerfMergeTest, ALostRecordStandsByItsOwnTime) {
  cpu[0].sample(1, 0);
  cpu[0].lost(7, 42);
  cpu[0].sample(8, 0);
  cpu[1].sample(5, 0);
  merge.begin_round(100);
  merge.next();
  merge.next();
  auto item = merge.next();
  ASSERT_TRUE(item);
  EXPECT_EQ(item->type, std::uint32_t{PERF_RECORD_LOST});
  EXPECT_EQ(item->time, 7u);
  EXPECT_EQ(lost_in(item->body), 42u);
}

TEST_F(PerfMergeTest, TheLaneIsTheRing) {
  cpu[2].sample(1, 0);
  merge.begin_round(100);
  EXPECT_EQ(merge.next()->lane, 2u);
}

TEST_F(PerfMergeTest, ARoundGivesItsSpaceBack) {
  while (cpu[0].sample(1, 0)) {
  }
  round();
  EXPECT_EQ(cpu[0].head_page().data_tail, cpu[0].head_page().data_head);
}

TEST_F(PerfMergeTest, ARecordTooShortForATimeIsNotWaitedFor) {
  std::vector<std::byte> body(8);
  cpu[0].write(99, body);
  cpu[0].sample(3, 0);
  EXPECT_EQ(round(10), (Times{0, 3}));
}

TEST_F(PerfMergeTest, ARingMayJoinLater) {
  FakeRing late;
  PerfRing ring = PerfRing::over(late.memory());
  cpu[0].sample(2, 0);
  cpu[0].sample(50, 0);
  EXPECT_EQ(round(10), Times{2});
  merge.add(ring);
  late.sample(40, 0);
  EXPECT_EQ(round(), (Times{40, 50}));
}

}  // namespace
}  // namespace iovm::record
