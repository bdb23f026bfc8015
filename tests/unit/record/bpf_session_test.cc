// SPDX-License-Identifier: Apache-2.0
#include "record/bpf_session.h"

#include <gmock/gmock.h>
#include <poll.h>

#include "unit/record/bpf_fixture.h"

namespace iovm::record {
namespace {

using testing::SizeIs;

TEST_F(BpfSessionTest, EachAccessIsARecordWithItsValueAndItsPlace) {
  ASSERT_TRUE(add());
  start();
  run(300);
  auto all = records();
  ASSERT_THAT(all, SizeIs(300 + 1 + 2));  // a load that user space answers begins and ends
  for (std::uint32_t i = 0; i < 300; ++i) {
    EXPECT_EQ(all[i].kind, IOVM_PIO);
    EXPECT_EQ(all[i].direction, IOVM_READ);
    EXPECT_EQ(all[i].address, TinyVm::kIn);
    EXPECT_EQ(all[i].value, i % 256);
    EXPECT_EQ(all[i].count, 1u);
    EXPECT_EQ(all[i].size, 1);
  }
  EXPECT_EQ(all[300].direction, IOVM_WRITE);
  EXPECT_EQ(all[300].address, TinyVm::kOut);
  EXPECT_EQ(all[300].value, 0xaau);
  EXPECT_EQ(all[301].kind, IOVM_MMIO_BEGINS);
  EXPECT_EQ(all[301].present & IOVM_HAS_VALUE, 0);
  EXPECT_EQ(all[302].kind, IOVM_MMIO);
  EXPECT_EQ(all[302].address, TinyVm::kMmio);
  EXPECT_EQ(all[302].value, 0x5cu);
  for (std::size_t i = 1; i < all.size(); ++i) EXPECT_GE(all[i].time, all[i - 1].time);
}

TEST_F(BpfSessionTest, ARecordSaysWhoAndWhere) {
  ASSERT_TRUE(add());
  start();
  run(1);
  auto all = records();
  ASSERT_THAT(all, SizeIs(4));
  for (const iovm_record& record : all) {
    EXPECT_EQ(record.tgid, static_cast<std::uint32_t>(::getpid()));
    EXPECT_EQ(record.tid, static_cast<std::uint32_t>(::gettid()));
    EXPECT_NE(record.present & IOVM_HAS_VCPU, 0);
    EXPECT_EQ(record.vcpu, 0);
    EXPECT_EQ(record.present & IOVM_HAS_CURRENT, 0);
  }
  if ((all[1].present & IOVM_HAS_RIP) == 0) GTEST_SKIP() << "no registers of this CPU";
  EXPECT_EQ(all[1].rip, TinyVm::kOutRip);
  EXPECT_EQ(all[2].rip, TinyVm::kMmioRip);
  EXPECT_EQ(all[1].cr3, 0u);
  EXPECT_EQ(all[1].cpl, 0);
}

TEST_F(BpfSessionTest, VmsThatAreNotAskedForAreNotRecorded) {
  start();
  run(100);
  EXPECT_THAT(records(), SizeIs(0));
  ASSERT_TRUE(add());  // a later one is from then on
  run(100);
  EXPECT_EQ(records().size(), TinyVm::accesses(100) + 1);
}

TEST_F(BpfSessionTest, AllVmsAreThoseNobodyNamedToo) {
  ASSERT_TRUE(session_->add_all_vms());
  start();
  run(100);
  std::size_t own = 0;
  for (const iovm_record& record : records()) {
    if (record.tgid == static_cast<std::uint32_t>(::getpid())) ++own;
  }
  EXPECT_EQ(own, TinyVm::accesses(100) + 1);
}

TEST_F(BpfSessionTest, WhatFindsNoRoomIsCountedAndToldBeforeTheNext) {
  ASSERT_TRUE(add());
  start(1);  // a page
  stay_on_this_cpu();
  run(5000);
  std::uint64_t got = records().size();
  EXPECT_LT(got, 5000u);
  run(1);
  auto after = records();
  std::uint64_t lost = 0;
  for (const iovm_record& record : after) {
    if (record.kind == IOVM_LOSS) {
      EXPECT_EQ(record.count, IOVM_DROP_FULL);
      EXPECT_EQ(record.vcpu, 0);
      EXPECT_NE(record.present & IOVM_HAS_VCPU, 0);
      lost += record.value;
    } else {
      EXPECT_GT(lost, 0u) << "an access before the loss that it comes after";
      ++got;
    }
  }
  EXPECT_EQ(got + lost, TinyVm::accesses(5000) + TinyVm::accesses(1) + 2);
}

TEST_F(BpfSessionTest, WhatIsStillUntoldAtTheEndIsToldThen) {
  ASSERT_TRUE(add());
  start(1);
  stay_on_this_cpu();
  run(5000);
  std::uint64_t got = records().size();
  ASSERT_TRUE(session_->stop());
  auto left = session_->flush();
  ASSERT_TRUE(left);
  EXPECT_EQ(*left, 0u);
  auto losses = of_kind(IOVM_LOSS);
  ASSERT_THAT(losses, SizeIs(1));
  EXPECT_EQ(got + losses[0].value, TinyVm::accesses(5000) + 1);
  auto totals = session_->totals();
  ASSERT_TRUE(totals);
  EXPECT_EQ(totals->records, got);
  EXPECT_EQ(totals->dropped, losses[0].value);
}

TEST_F(BpfSessionTest, NothingComesAfterTheStop) {
  ASSERT_TRUE(add());
  start();
  run(10);
  ASSERT_TRUE(session_->stop());
  run(10);
  EXPECT_EQ(records().size(), TinyVm::accesses(10) + 1);
}

TEST_F(BpfSessionTest, AReaderWhoWaitsIsWoken) {
  ASSERT_TRUE(add());
  start();
  run(1);
  pollfd ready = {session_->fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&ready, 1, 2000), 1);
  session_->woken();
  EXPECT_EQ(records().size(), TinyVm::accesses(1) + 1);
}

TEST_F(BpfSessionTest, TwoSessionsSeeTheSame) {
  auto second = BpfSession::open();
  ASSERT_TRUE(second) << second.error().message();
  ASSERT_TRUE(add());
  ASSERT_TRUE((*second)->add_vm(::getpid()));
  start();
  auto rings = (*second)->start(kManySlots, 10);
  ASSERT_TRUE(rings);
  run(50);
  auto first = records();
  merge_.emplace(std::move(*rings));
  EXPECT_EQ(records().size(), first.size());
}

}  // namespace
}  // namespace iovm::record
