// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <array>
#include <bit>
#include <cstddef>
#include <cstring>

#include "unit/record/bpf_fixture.h"

namespace iovm::record {
namespace {

using testing::SizeIs;

// A guest's task as user space tells of it: its memory is this process's.
class BpfTasksTest : public BpfSessionTest {
 protected:
  struct Task {
    std::uint64_t start_time, mm;
    std::uint32_t pid, process, flags;
    char comm[16];
  };
  static constexpr std::uint64_t kKernel = 0xffff888000000000;  // where the guest has tasks_

  void tell() {
    auto tgid = static_cast<std::uint32_t>(::getpid());
    ASSERT_TRUE(add());
    iovm_guest guest = {};
    guest.tgid = tgid, guest.ranges = 1;
    guest.range[0] = {kKernel, sizeof tasks_, std::bit_cast<std::uint64_t>(&tasks_)};
    guest.start_time = offsetof(Task, start_time), guest.mm = offsetof(Task, mm);
    guest.pid = offsetof(Task, pid), guest.process = offsetof(Task, process);
    guest.flags = offsetof(Task, flags), guest.comm = offsetof(Task, comm);
    ASSERT_TRUE(session_->set_guest(guest));
    ASSERT_TRUE(session_->set_slot({tgid, 0, std::bit_cast<std::uint64_t>(&current_),
                                    std::bit_cast<std::uint64_t>(&preempt_count_)}));
  }
  static std::vector<iovm_task> tasks_of(const std::vector<iovm_record>& all) {
    std::vector<iovm_task> tasks;
    for (const iovm_record& record : all) {
      if (record.kind == IOVM_TASK) tasks.push_back(std::bit_cast<iovm_task>(record));
    }
    return tasks;
  }

  std::array<Task, 2> tasks_ = {Task{11, 12, 13, 14, 15, "first"},
                                Task{21, 0, 23, 24, 25, "second"}};
  std::uint64_t current_ = kKernel;
  std::uint32_t preempt_count_ = 7;
};

TEST_F(BpfTasksTest, ATaskIsToldBeforeItsFirstAccessAndOnlyThen) {
  tell();
  start();
  run(20);
  auto all = records();
  auto tasks = tasks_of(all);
  ASSERT_THAT(tasks, SizeIs(1));
  EXPECT_EQ(all[0].kind, IOVM_TASK);
  EXPECT_EQ(tasks[0].current_task, kKernel);
  EXPECT_EQ(tasks[0].start_time, 11u);
  EXPECT_EQ(tasks[0].mm, 12u);
  EXPECT_EQ(tasks[0].pid, 13u);
  EXPECT_EQ(tasks[0].process, 14u);
  EXPECT_EQ(tasks[0].flags, 15u);
  EXPECT_STREQ(reinterpret_cast<const char*>(tasks[0].comm), "first");
  for (std::size_t i = 1; i < all.size(); ++i) {
    EXPECT_EQ(all[i].current_task, kKernel);
    EXPECT_EQ(all[i].preempt_count, 7u);
    EXPECT_NE(all[i].present & IOVM_HAS_TASK, 0);
    EXPECT_NE(all[i].present & IOVM_HAS_PREEMPT_COUNT, 0);
  }
}

TEST_F(BpfTasksTest, AnotherTaskAnotherNameAnotherLife) {
  tell();
  start();
  run(1);
  current_ = kKernel + sizeof(Task);
  run(1);
  std::strcpy(tasks_[1].comm, "exec");
  run(1);
  tasks_[1].start_time = 99;
  run(1);
  auto tasks = tasks_of(records());
  ASSERT_THAT(tasks, SizeIs(4));
  EXPECT_EQ(tasks[1].pid, 23u);
  EXPECT_STREQ(reinterpret_cast<const char*>(tasks[2].comm), "exec");
  EXPECT_EQ(tasks[3].start_time, 99u);
}

TEST_F(BpfTasksTest, WhatCannotBeReadIsNotKnown) {
  tell();
  start();
  current_ = kKernel + sizeof tasks_;  // not in any range
  run(1);
  auto all = records();
  EXPECT_THAT(tasks_of(all), SizeIs(0));
  EXPECT_NE(all[0].present & IOVM_HAS_CURRENT, 0);
  EXPECT_EQ(all[0].present & IOVM_HAS_TASK, 0);
  ASSERT_TRUE(session_->set_slot({static_cast<std::uint32_t>(::getpid()), 0, 8, 8}));
  run(1);
  for (const iovm_record& record : records()) EXPECT_EQ(record.present & IOVM_HAS_CURRENT, 0);
}

TEST_F(BpfTasksTest, InATinyRingNoTaskIsLostToldTwiceOrOutOfPlace) {
  tell();
  start(1);
  for (std::uint64_t i = 0; i < 200; ++i) {
    current_ = kKernel + (i % 2) * sizeof(Task);
    run(1);
    if (i % 20 != 19) continue;
    std::uint64_t task = 0;
    for (const iovm_record& record : records()) {
      if (record.kind == IOVM_TASK) task = std::bit_cast<iovm_task>(record).current_task;
      if (record.kind != IOVM_PIO || task == 0) continue;
      EXPECT_EQ(record.current_task, task);
    }
  }
}

}  // namespace
}  // namespace iovm::record
