// SPDX-License-Identifier: Apache-2.0
//
// What is looked for in a kernel's image when no symbol says where it is. Each finds its thing by
// what it is made of, and each is bounded; the self-test of guest_kernel.h is still to come.
//
//   types        the magic number of BTF, and a blob that parses and has task_struct
//   first task   "swapper/0" where comm would be, in a task that is its own parent and whose list
//                of tasks closes
//   CPUs         __per_cpu_offset: an array of pages' addresses whose unused rest all points into
//                the image (where the kernel's linker put the first per-CPU data). In each CPU's
//                data one word is that address itself (this_cpu_off): nothing else is so on all.
//                `current` is a word that points to a known task on every CPU. There are several
//                (the idle task, the scheduler's, threads of the kernel); the kernel's own code
//                says which, reading it thousands of times (mov %gs:X,%reg). So it does with
//                __preempt_count (addl $Y,%gs:X): without that an interrupt's accesses would be
//                given to whoever was interrupted, and nothing is better than that.
#pragma once

#include <optional>

#include "record/guest_btf.h"
#include "record/guest_image.h"
#include "record/guest_layout.h"
#include "record/guest_tasks.h"

namespace iovm::record {

std::optional<Btf> scan_for_btf(KernelImage& image);

// Its address.
std::optional<std::uint64_t> scan_for_first_task(const KernelSpace& kernel, KernelImage& image,
                                                 const KernelLayout& layout);

// The per-CPU variables. The error says what there was not, or not just one of.
Result<CpuLayout> scan_for_cpus(const KernelSpace& kernel, KernelImage& image,
                                const KernelLayout& layout, const TaskWalk& tasks);

}  // namespace iovm::record
