// SPDX-License-Identifier: Apache-2.0
#include "record/guest_vm.h"

#include <gmock/gmock.h>

#include <deque>

#include "record/guest_kernel_side.h"
#include "unit/record/fake_session.h"
#include "unit/record/synthetic_guest.h"

namespace iovm::record {
namespace {

using testing::HasSubstr;
using trace::ProcessKind;
using trace::Unknown;

constexpr std::int64_t kVmm = 4711;
constexpr auto kNotReady = static_cast<std::uint32_t>(Unknown::guest_not_ready);

// The module's part for one vCPU: reads the guest's task by what it was told, as kmod/guest.c does.
class GuestVmTest : public testing::Test {
 protected:
  void SetUp() override { start(); }
  void start() {
    auto find = [this](const SearchLimits& limits) -> Result<FoundGuest> {
      FoundGuest found{guest_.memory(), {}};
      found.search = guest_.search(*found.memory, limits);
      return found;
    };
    vm_ = std::make_unique<GuestVm>(0, kVmm, processes_, session_,
                                    std::make_unique<GuestFinder>(std::move(find)));
    wait();
  }
  // Until the finder has searched, however busy this machine is.
  void wait() {
    vm_->wait_for_first_search(std::chrono::minutes(1));
    vm_->refresh();
  }
  iovm_record record(std::uint32_t cpu = 0) {
    iovm_record r = {};
    r.time = time_ += 1000;
    r.rip = SyntheticGuest::kText + 0x100;
    r.cr3 = SyntheticGuest::kCr3;
    r.gs_base = guest_.gs_base(cpu);
    r.kind = IOVM_PIO;
    r.vcpu = static_cast<std::uint16_t>(cpu);
    r.present = IOVM_HAS_RIP | IOVM_HAS_CR3 | IOVM_HAS_CPL | IOVM_HAS_GS_BASE | IOVM_HAS_VCPU;
    return r;
  }
  // With what the kernel side reads, and its record of the task first.
  std::uint32_t access(std::uint32_t cpu, std::uint32_t preempt_count = 0x80000000) {
    iovm_record r = record(cpu);
    r.preempt_count = preempt_count;
    r.current_task = guest_.word_at(guest_.physical(guest_.current_of(cpu)));
    r.present |= IOVM_HAS_CURRENT | IOVM_HAS_PREEMPT_COUNT | IOVM_HAS_TASK;
    vm_->take_task(task_at(r));
    return vm_->process_of(r);
  }
  iovm_task task_at(const iovm_record& r) {
    iovm_task task = {};
    task.time = r.time, task.vcpu = r.vcpu, task.kind = IOVM_TASK;
    task.current_task = r.current_task;
    std::uint64_t at = guest_.physical(r.current_task);
    task.pid = guest_.value_at<std::uint32_t>(at + SyntheticGuest::kPid);
    task.process = guest_.value_at<std::uint32_t>(at + SyntheticGuest::kTgid);
    task.start_time = guest_.value_at<std::uint64_t>(at + SyntheticGuest::kStart);
    task.flags = guest_.value_at<std::uint32_t>(at + SyntheticGuest::kFlags);
    std::memcpy(task.comm, &guest_.word_at(at + SyntheticGuest::kComm), 16);
    return task;
  }

  SyntheticGuest guest_;
  std::deque<FakeKmodRing> rings_;
  FakeSession session_{rings_};
  std::vector<trace::GuestProcess> table_;
  GuestProcesses processes_{table_};
  std::unique_ptr<GuestVm> vm_;
  std::uint64_t time_ = 1'000'000'000'000;
};

TEST_F(GuestVmTest, TheKernelSideIsToldBeforeTheFirstAccess) {
  ASSERT_EQ(session_.guests.size(), 1u);
  EXPECT_EQ(session_.guests[0].tgid, static_cast<std::uint32_t>(kVmm));
  ASSERT_EQ(session_.slots.size(), 2u);
  EXPECT_EQ(session_.slots[1].vcpu, 1u);
  EXPECT_EQ(session_.slots[1].address, guest_.physical(guest_.current_of(1)));
  EXPECT_THAT(vm_->describe(), HasSubstr("Linux 6.1.0-test, 2 CPUs; its processes are named"));
}

TEST_F(GuestVmTest, ATaskReadAtTheExitIsTheProcessOfItsAccess) {
  guest_.run(1, guest_.add_task(99, "brief", 1));
  std::uint32_t index = access(1);
  ASSERT_LT(index, table_.size());
  EXPECT_EQ(table_[index].pid, 99);
  EXPECT_EQ(table_[index].comm, "brief");
  EXPECT_EQ(table_[index].confidence, trace::Confidence::high);
  EXPECT_EQ(access(1), index);
}

TEST_F(GuestVmTest, AnInterruptsAccessIsNotTheTasks) {
  guest_.run(0, guest_.add_task(99, "victim", 1));
  EXPECT_EQ(table_[access(0, 0x80010001)].kind, ProcessKind::interrupt);
}

TEST_F(GuestVmTest, WhatWasReadWithAnotherCpusGsBaseIsNotBelievedAndTheRightSlotIsTold) {
  guest_.run(0, guest_.add_task(99, "other", 1));
  iovm_record r = record(0);
  r.vcpu = 1;  // the firmware numbered them the other way round
  r.current_task = guest_.word_at(guest_.physical(guest_.current_of(0)));
  r.present |= IOVM_HAS_CURRENT | IOVM_HAS_TASK;
  iovm_task task = task_at(r);
  vm_->take_task(task);
  std::size_t told = session_.slots.size();
  std::uint32_t index = vm_->process_of(r);
  EXPECT_TRUE(index >= table_.size() || table_[index].pid != 99);
  ASSERT_EQ(session_.slots.size(), told + 1);
  EXPECT_EQ(session_.slots.back().vcpu, 1u);
  EXPECT_EQ(session_.slots.back().address, guest_.physical(guest_.current_of(0)));
}

TEST_F(GuestVmTest, ASourceThatSeesNoGsBaseAndNoCr3HasTheApicIds) {
  guest_.run(1, guest_.add_task(99, "intel", 1));
  iovm_record r = record(1);
  r.current_task = guest_.word_at(guest_.physical(guest_.current_of(1)));
  r.present = IOVM_HAS_VCPU | IOVM_HAS_CURRENT | IOVM_HAS_TASK;
  vm_->take_task(task_at(r));
  std::uint32_t index = vm_->process_of(r);
  ASSERT_LT(index, table_.size());
  EXPECT_EQ(table_[index].pid, 99);
}

TEST_F(GuestVmTest, ATaskRecordOfAnotherPointerIsNotUsed) {
  guest_.run(0, guest_.add_task(99, "one", 1));
  access(0);
  iovm_record r = record(0);
  r.current_task = guest_.init_task();
  r.present |= IOVM_HAS_CURRENT | IOVM_HAS_TASK;
  EXPECT_EQ(table_[vm_->process_of(r)].kind, ProcessKind::idle);
}

TEST_F(GuestVmTest, AKernelThatNoVcpuRunsOnIsNotBelievedAndLookedForAgain) {
  iovm_record stranger = record();
  stranger.cr3 = 0x900000;
  for (int i = 0; i < 63; ++i) EXPECT_EQ(vm_->process_of(stranger), kNotReady);
  std::uint64_t changes = vm_->changes();
  EXPECT_EQ(vm_->process_of(stranger), kNotReady);
  EXPECT_EQ(vm_->changes(), changes + 1);
  EXPECT_EQ(session_.guests.back().ranges, 0u);
  EXPECT_EQ(session_.slots.back().address, 0u);
}

TEST_F(GuestVmTest, AfterFirmwareTheKernelMustShowItselfAgain) {
  ASSERT_LT(access(0), trace::kFirstUnknown);
  iovm_record firmware = record();
  firmware.rip = 0xf0000;
  EXPECT_EQ(table_[vm_->process_of(firmware)].kind, ProcessKind::firmware);
  iovm_record other_kernel = record();
  other_kernel.cr3 = 0x900000;
  EXPECT_EQ(vm_->process_of(other_kernel), kNotReady);
  EXPECT_LT(access(0), trace::kFirstUnknown);
}

TEST_F(GuestVmTest, AnotherBootOfTheSameKernelIsAnother) {
  guest_.set_clock(100'000'000'000);
  vm_->refresh();
  ASSERT_LT(access(0), trace::kFirstUnknown);
  iovm_record firmware = record();
  firmware.rip = 0xf0000;
  vm_->process_of(firmware);
  guest_.set_clock(1'000'000'000);
  EXPECT_EQ(access(0), kNotReady);
  EXPECT_EQ(session_.guests.back().ranges, 0u);
}

TEST_F(GuestVmTest, AKernelThatDoesNotShowWhatItsCpusRunHasItsProcessesByTheirPageTables) {
  std::uint64_t task = guest_.add_task(99, "app", 1);
  guest_.lose_symbols();
  guest_.put_bytes(SyntheticGuest::kText + SyntheticGuest::kCodeAt, Bytes(0x400));
  start();
  EXPECT_THAT(vm_->describe(), HasSubstr("; its processes are known by their page tables alone"));
  iovm_record r = record();
  r.cr3 = guest_.cr3_of(task);
  r.rip = 0x401000;
  r.cpl = 3;
  std::uint32_t index = vm_->process_of(r);
  ASSERT_LT(index, table_.size());
  EXPECT_EQ(table_[index].pid, 99);
  EXPECT_EQ(table_[index].how, "page tables, in user mode");
}

// A guest in which nothing is found.
class GuestVmWithoutKernelTest : public GuestVmTest {
 protected:
  void SetUp() override {
    guest_.lose_types();
    start();
  }
  iovm_record access_from(std::uint64_t cr3) {
    iovm_record r = record();
    r.cr3 = cr3;
    return r;
  }
};

TEST_F(GuestVmWithoutKernelTest, ItsAddressSpacesAreToldApartOnceThereShouldBeAKernel) {
  EXPECT_EQ(vm_->process_of(access_from(0x5000)), kNotReady);
  time_ += GuestVm::kPatience;
  std::uint64_t changes = vm_->changes();
  std::uint32_t one = vm_->process_of(access_from(0x5000));
  ASSERT_LT(one, table_.size());
  EXPECT_EQ(table_[one].comm, "cr3:0x5000");
  EXPECT_EQ(table_[one].kind, ProcessKind::address_space);
  EXPECT_EQ(table_[one].confidence, trace::Confidence::low);
  EXPECT_EQ(table_[one].pid, -1);
  EXPECT_EQ(vm_->changes(), changes + 1);
  EXPECT_THAT(vm_->describe(), HasSubstr("only told apart by address space (cr3:0x...): types: "));
  EXPECT_EQ(vm_->process_of(access_from(0x8000000000005abc)), one);  // PCID and all
  EXPECT_NE(vm_->process_of(access_from(0x6000)), one);
  EXPECT_EQ(vm_->changes(), changes + 1);
}

TEST_F(GuestVmWithoutKernelTest, FirmwareIsABootThatIsWaitedForAnew) {
  vm_->process_of(access_from(0x5000));
  time_ += GuestVm::kPatience;
  iovm_record firmware = record();
  firmware.rip = 0xf0000;
  EXPECT_EQ(table_[vm_->process_of(firmware)].kind, ProcessKind::firmware);
  EXPECT_EQ(vm_->process_of(access_from(0x5000)), kNotReady);
}

TEST_F(GuestVmWithoutKernelTest, ASourceThatSeesNoPageTablesTellsNobodyApart) {
  vm_->process_of(access_from(0x5000));
  time_ += GuestVm::kPatience;
  iovm_record r = record();
  r.present = IOVM_HAS_VCPU;
  EXPECT_EQ(vm_->process_of(r), kNotReady);
}

TEST_F(GuestVmTest, AHostileGuestCostsLittleAnAccess) {
  guest_.reads() = {};
  iovm_record r = record();
  constexpr std::uint64_t kAccesses = 2000;
  for (std::uint64_t i = 0; i < kAccesses; ++i) {
    r.time += 10'000;
    r.vcpu = static_cast<std::uint16_t>(i % 2);
    r.gs_base = i * 0x1000 | 0xffff800000000000;
    r.cr3 = SyntheticGuest::kCr3 | (i % 3 == 0 ? 0 : 0x700000);
    r.current_task = 0xffff888000000000 + i * 8;
    r.present |= IOVM_HAS_CURRENT | IOVM_HAS_TASK;
    iovm_task nonsense = {};
    nonsense.time = r.time, nonsense.vcpu = r.vcpu, nonsense.pid = 0xffffffff;
    nonsense.current_task = r.current_task;
    vm_->take_task(nonsense);
    vm_->process_of(r);
  }
  EXPECT_LT(guest_.reads().calls / kAccesses, 30u);
}

}  // namespace
}  // namespace iovm::record
