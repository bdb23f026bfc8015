// SPDX-License-Identifier: Apache-2.0
//
// Where things are in this guest's kernel: offsets in its structures, from its BTF, and the few
// global symbols that the resolver needs. Plain values: a source can hand them to its kernel side
// (to take pid and comm at the moment of the exit), and a profile can keep them (guest_profile.h).
//
// The names are those of include/linux/sched.h, mm_types.h, pid.h, cgroup-defs.h, kernfs.h and
// arch/x86/include/asm/current.h. What only some kernels have is optional.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string_view>

#include "base/result.h"
#include "record/guest_btf.h"
#include "record/guest_clock.h"
#include "record/guest_kallsyms.h"

namespace iovm::record {

inline constexpr std::size_t kCommBytes = 16;  // TASK_COMM_LEN

struct TaskLayout {
  std::uint32_t size = 0;  // of task_struct
  std::uint32_t flags = 0;
  std::uint32_t mm = 0;
  std::uint32_t active_mm = 0;
  std::uint32_t pid = 0;
  std::uint32_t tgid = 0;
  std::uint32_t comm = 0;
  std::uint32_t start_time = 0;  // of the boot clock where there is one
  std::uint32_t real_parent = 0;
  std::uint32_t tasks = 0;
  std::uint32_t thread_node = 0;
  std::uint32_t signal = 0;
  std::uint32_t thread_head = 0;  // in signal_struct
  std::uint32_t pgd = 0;          // in mm_struct

  friend bool operator==(const TaskLayout&, const TaskLayout&) = default;
};

// For processes of containers: the pid that they see, and their control group.
struct ContainerLayout {
  std::uint32_t thread_pid = 0;  // in task_struct
  std::uint32_t level = 0;       // in struct pid
  std::uint32_t numbers = 0;
  std::uint32_t upid_size = 0;
  std::uint32_t upid_nr = 0;
  std::uint32_t cgroups = 0;   // in task_struct
  std::uint32_t dfl_cgrp = 0;  // in css_set
  std::uint32_t kn = 0;        // in cgroup
  std::uint32_t kn_name = 0;   // in kernfs_node
  std::uint32_t kn_parent = 0;

  friend bool operator==(const ContainerLayout&, const ContainerLayout&) = default;
};

// Per-CPU variables: their address on a CPU is its __per_cpu_offset plus this value.
struct CpuLayout {
  std::uint64_t per_cpu_offset = 0;  // address of the array __per_cpu_offset
  std::uint64_t nr_cpu_ids = 0;      // address; 0 where it is a constant
  std::uint64_t current = 0;         // pointer to the running task
  std::optional<std::uint64_t> preempt_count;
  std::optional<std::uint64_t> apic_id;  // of its first two bytes, which is all but of giants

  friend bool operator==(const CpuLayout&, const CpuLayout&) = default;
};

struct KernelLayout {
  TaskLayout task;
  std::optional<ContainerLayout> container;
  std::optional<CpuLayout> cpu;  // nothing: not known
  std::optional<ClockLayout> clock;
  std::uint64_t init_task = 0;         // 0: not known
  std::uint64_t page_offset_base = 0;  // address; 0: a constant, or not known
  std::uint64_t e820_table = 0;        // of the pointer to it; 0: not known

  friend bool operator==(const KernelLayout&, const KernelLayout&) = default;
};

// The symbols that layout_of and the bring-up look up.
const std::set<std::string_view>& wanted_symbols();

// What the symbols do not say is not known. An error names the structure or member that is missing.
Result<KernelLayout> layout_of(const Btf& btf, const Kallsyms& symbols);

}  // namespace iovm::record
