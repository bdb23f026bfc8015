// SPDX-License-Identifier: Apache-2.0
//
// The BPF program in the running kernel, at a VM of this process whose every access is known
// (tiny_vm.h). Skipped, with the reason, where there is no KVM or no right to load the program.
#pragma once

#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <optional>

#include "record/bpf_session.h"
#include "record/record_merge.h"
#include "unit/record/tiny_vm.h"

namespace iovm::record {

class BpfSessionTest : public testing::Test {
 protected:
  static constexpr std::uint32_t kManySlots = 1U << 14;

  void SetUp() override {
    auto vm = TinyVm::create();
    if (!vm) GTEST_SKIP() << vm.error().message();
    vm_ = std::move(*vm);
    auto session = BpfSession::open();
    if (!session) GTEST_SKIP() << session.error().message();
    session_ = std::move(*session);
  }
  void start(std::uint32_t slots = kManySlots) {
    auto rings = session_->start(slots, 10);
    ASSERT_TRUE(rings) << rings.error().message();
    merge_.emplace(std::move(*rings));
  }
  void run(std::uint32_t times) { ASSERT_TRUE(vm_->run(times)); }
  // From now on the VM's thread, which is this one, has one ring.
  static void stay_on_this_cpu() {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(::sched_getcpu(), &set);
    ::sched_setaffinity(0, sizeof set, &set);
  }
  // Everything that is in the rings by now, in time order.
  std::vector<iovm_record> records() {
    std::vector<iovm_record> all;
    merge_->begin_round(RecordMerge::kEverything);
    while (const iovm_record* record = merge_->next()) all.push_back(*record);
    return all;
  }
  std::vector<iovm_record> of_kind(iovm_kind kind) {
    std::vector<iovm_record> some;
    for (const iovm_record& record : records()) {
      if (record.kind == kind) some.push_back(record);
    }
    return some;
  }
  Status add() { return session_->add_vm(::getpid()); }

  std::unique_ptr<TinyVm> vm_;
  std::unique_ptr<BpfSession> session_;
  std::optional<RecordMerge> merge_;
};

}  // namespace iovm::record
