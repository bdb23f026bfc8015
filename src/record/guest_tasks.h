// SPDX-License-Identifier: Apache-2.0
//
// Tasks of a running guest: one task_struct read and judged, and the walk over all of them (the
// list of thread groups from init_task, in each the list of its threads). The lists change while
// they are walked; a walk that meets a cycle that is not the end, a wild pointer, or more tasks
// than its limit stops there and says so.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "record/guest_layout.h"
#include "record/guest_pagetable.h"

namespace iovm::record {

struct GuestTask {
  std::uint64_t address = 0;  // of its task_struct
  std::int32_t pid = 0;
  std::int32_t tgid = 0;
  std::uint64_t start_ns = 0;  // the guest's boot clock
  std::uint64_t mm = 0;        // 0: a kernel thread, or exiting
  std::uint32_t flags = 0;
  std::string comm;  // raw bytes, at most 15

  bool is_idle() const { return (flags & 0x2) != 0; }                // PF_IDLE
  bool is_kernel_thread() const { return (flags & 0x200000) != 0; }  // PF_KTHREAD
  bool is_exiting() const { return (flags & 0x4) != 0; }             // PF_EXITING

  // The same life of the same thread; its comm and mm change with exec.
  bool same_life(const GuestTask& other) const {
    return pid == other.pid && tgid == other.tgid && start_ns == other.start_ns;
  }
};

// pid_max can be at most 4 Mi on 64 bits (PID_MAX_LIMIT).
inline constexpr std::int32_t kMaxPid = 4 << 20;

// Whether these fields can be a task's: what is not looked at is 0 or empty.
bool can_be_task(const GuestTask& task, bool five_levels);

// Nothing if it cannot be read or cannot be a task: pids out of range, pointers into user space, a
// pid of 0 that is not the idle task. (Memory that was a task once can hold anything.)
std::optional<GuestTask> read_task(const KernelSpace& kernel, const TaskLayout& layout,
                                   std::uint64_t address);

struct TaskWalk {
  std::vector<GuestTask> tasks;  // without the idle tasks
  bool closed = false;           // the list came back to init_task
  std::string trouble;           // why it did not; empty if it did
};
struct WalkLimits {
  std::size_t tasks = 65536;
  std::chrono::nanoseconds time = std::chrono::milliseconds(50);
};
TaskWalk walk_tasks(const KernelSpace& kernel, const KernelLayout& layout,
                    const WalkLimits& limits);

// The physical root of the task's own page tables; nothing for a kernel thread.
std::optional<std::uint64_t> page_table_root(const KernelSpace& kernel, const TaskLayout& layout,
                                             std::uint64_t mm);

// What containers are known by: the pid in the innermost pid name space, if that is not the first,
// and the path of the control group (cgroup 2), "/" being the root.
struct ContainerView {
  std::optional<std::int32_t> inner_pid;
  std::string cgroup;
};
std::optional<ContainerView> read_container(const KernelSpace& kernel,
                                            const ContainerLayout& layout, std::uint64_t task);

}  // namespace iovm::record
