// SPDX-License-Identifier: Apache-2.0
#include "record/guest_tasks.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <unordered_set>
#include <utility>

#include "base/format.h"

namespace iovm::record {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxCgroupDepth = 32;
constexpr std::size_t kMaxCgroupName = 256;
constexpr std::uint32_t kMaxPidLevel = 32;  // MAX_PID_NS_LEVEL

// The fields of a task lie in three places: flags near its start, the list heads, and from mm to
// comm. Reading from one field to another in one piece beats many small reads.
class TaskBytes {
 public:
  bool read(const KernelSpace& kernel, std::uint64_t address, std::uint32_t first,
            std::uint32_t end) {
    first_ = first;
    bytes_.resize(end - first);
    return kernel.read(address + first, std::span(bytes_));
  }

  template <typename T>
  T at(std::uint32_t offset) const {
    T v;
    std::memcpy(&v, bytes_.data() + (offset - first_), sizeof(v));
    return v;
  }

  std::string comm(std::uint32_t offset) const {
    const char* text = reinterpret_cast<const char*>(bytes_.data() + (offset - first_));
    return std::string(text, strnlen(text, kCommBytes - 1));
  }

 private:
  std::uint32_t first_ = 0;
  std::vector<std::byte> bytes_;
};

class Walker {
 public:
  Walker(const KernelSpace& kernel, const KernelLayout& layout, const WalkLimits& limits)
      : kernel_(kernel), layout_(layout), limits_(limits), deadline_(Clock::now() + limits.time) {}

  TaskWalk run() {
    std::uint64_t head = layout_.init_task + layout_.task.tasks;
    auto next = kernel_.value<std::uint64_t>(head);
    while (next && *next != head) {
      std::uint64_t leader = *next - layout_.task.tasks;
      if (!take(leader) || !walk_threads(leader)) return std::move(walk_);
      next = kernel_.value<std::uint64_t>(*next);
    }
    if (!next) return stop("a pointer in the task list leads nowhere");
    walk_.closed = true;
    return std::move(walk_);
  }

 private:
  TaskWalk stop(std::string why) {
    walk_.trouble = std::move(why);
    return std::move(walk_);
  }
  bool refuse(std::string why) {
    walk_.trouble = std::move(why);
    return false;
  }

  bool take(std::uint64_t address) {
    if (!seen_.insert(address).second) return refuse("the task list runs in a circle");
    if (walk_.tasks.size() >= limits_.tasks)
      return refuse(format("more than {} tasks", limits_.tasks));
    if ((walk_.tasks.size() & 15) == 0 && Clock::now() > deadline_)
      return refuse(format("no end after {} tasks in the time there is", walk_.tasks.size()));
    auto task = read_task(kernel_, layout_.task, address);
    if (!task) return refuse("something in the task list is no task");
    walk_.tasks.push_back(std::move(*task));
    return true;
  }

  // The other threads of a group; a group that is just going away is not the list's trouble.
  bool walk_threads(std::uint64_t leader) {
    auto signal = kernel_.value<std::uint64_t>(leader + layout_.task.signal);
    if (!signal) return true;
    std::uint64_t head = *signal + layout_.task.thread_head;
    auto next = kernel_.value<std::uint64_t>(head);
    bool past_leader = false;
    while (next && *next != head) {
      std::uint64_t thread = *next - layout_.task.thread_node;
      if (thread == leader) {
        if (std::exchange(past_leader, true)) return true;
      } else {
        if (seen_.contains(thread) || !read_task(kernel_, layout_.task, thread)) return true;
        if (!take(thread)) return false;
      }
      next = kernel_.value<std::uint64_t>(*next);
    }
    return true;
  }

  const KernelSpace& kernel_;
  const KernelLayout& layout_;
  WalkLimits limits_;
  Clock::time_point deadline_;
  std::unordered_set<std::uint64_t> seen_;
  TaskWalk walk_;
};

}  // namespace

bool can_be_task(const GuestTask& task, bool five_levels) {
  return task.pid >= 0 && task.pid <= kMaxPid && task.tgid >= 0 && task.tgid <= kMaxPid &&
         (task.pid == 0) == (task.tgid == 0) &&
         (task.pid != 0 || task.comm.starts_with("swapper")) &&
         (task.mm == 0 || is_kernel_address(task.mm, five_levels));
}

std::optional<GuestTask> read_task(const KernelSpace& kernel, const TaskLayout& layout,
                                   std::uint64_t address) {
  bool five = kernel.tables().five_levels;
  if (!is_kernel_address(address, five) || address % 8 != 0) return std::nullopt;
  auto flags = kernel.value<std::uint32_t>(address + layout.flags);
  auto [first, last] = std::minmax(
      {layout.mm, layout.pid, layout.tgid, layout.real_parent, layout.start_time, layout.comm});
  TaskBytes bytes;
  if (!flags || !bytes.read(kernel, address, first, last + kCommBytes)) return std::nullopt;
  GuestTask task;
  task.address = address;
  task.flags = *flags;
  task.pid = bytes.at<std::int32_t>(layout.pid);
  task.tgid = bytes.at<std::int32_t>(layout.tgid);
  task.mm = bytes.at<std::uint64_t>(layout.mm);
  task.start_ns = bytes.at<std::uint64_t>(layout.start_time);
  task.comm = bytes.comm(layout.comm);
  bool sane = can_be_task(task, five) &&
              is_kernel_address(bytes.at<std::uint64_t>(layout.real_parent), five);
  if (!sane) return std::nullopt;
  return task;
}

TaskWalk walk_tasks(const KernelSpace& kernel, const KernelLayout& layout,
                    const WalkLimits& limits) {
  return Walker(kernel, layout, limits).run();
}

std::optional<std::uint64_t> page_table_root(const KernelSpace& kernel, const TaskLayout& layout,
                                             std::uint64_t mm) {
  if (mm == 0) return std::nullopt;
  auto pgd = kernel.value<std::uint64_t>(mm + layout.pgd);
  if (!pgd) return std::nullopt;
  return kernel.translate(*pgd);
}

std::optional<ContainerView> read_container(const KernelSpace& kernel,
                                            const ContainerLayout& layout, std::uint64_t task) {
  ContainerView view;
  auto pid = kernel.value<std::uint64_t>(task + layout.thread_pid);
  auto level = pid ? kernel.value<std::uint32_t>(*pid + layout.level) : std::nullopt;
  if (level && *level > 0 && *level <= kMaxPidLevel)
    view.inner_pid = kernel.value<std::int32_t>(
        *pid + layout.numbers + std::uint64_t{*level} * layout.upid_size + layout.upid_nr);
  auto set = kernel.value<std::uint64_t>(task + layout.cgroups);
  auto group = set ? kernel.value<std::uint64_t>(*set + layout.dfl_cgrp) : std::nullopt;
  auto node = group ? kernel.value<std::uint64_t>(*group + layout.kn) : std::nullopt;
  if (!node) return std::nullopt;
  for (std::size_t depth = 0; depth < kMaxCgroupDepth; ++depth) {
    auto parent = kernel.value<std::uint64_t>(*node + layout.kn_parent);
    if (!parent || *parent == 0) break;  // the root has no name
    auto name_at = kernel.value<std::uint64_t>(*node + layout.kn_name);
    auto name = name_at ? kernel.text(*name_at, kMaxCgroupName) : std::nullopt;
    if (!name) return std::nullopt;
    view.cgroup.insert(0, "/" + *name);
    node = parent;
  }
  if (view.cgroup.empty()) view.cgroup = "/";
  return view;
}

}  // namespace iovm::record
