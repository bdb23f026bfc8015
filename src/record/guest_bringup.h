// SPDX-License-Identifier: Apache-2.0
//
// The steps of finding a guest's kernel, one function each, for guest_kernel.cc: what each needs,
// checks and gives. A step that fails says why in words that name what it looked at.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "record/guest_btf.h"
#include "record/guest_image.h"
#include "record/guest_kallsyms.h"
#include "record/guest_kernel.h"
#include "record/guest_vmcoreinfo.h"

namespace iovm::record {

// The kernel's root page table from VMCOREINFO; it must map the kernel's text where phys_base says.
Result<PageTables> check_page_tables(const GuestMemory& memory, const VmcoreInfo& info);

// What a step found; by a lesser way if `why_not` says why the better ones did not.
template <typename T>
struct Found {
  T it;
  std::string words;
  std::string why_not;
};

// The names of kallsyms, where VMCOREINFO says that it is or by a scan; at the worst no names.
Found<Kallsyms> find_symbols(const KernelSpace& kernel, const VmcoreInfo& info, KernelImage& image);
// BTF, where the symbols say that it is or by a scan.
Result<Found<Btf>> find_types(const KernelSpace& kernel, const Kallsyms& symbols,
                              KernelImage& image);
// init_task, if no symbol says where it is.
Result<Found<std::uint64_t>> find_first_task(const KernelSpace& kernel, const KernelLayout& layout,
                                             KernelImage& image);
// The per-CPU variables, if no symbol says where they are; at the worst nothing.
Found<std::optional<CpuLayout>> find_cpus(const GuestKernel& kernel, const TaskWalk& tasks,
                                          KernelImage& image);

// The guest's own memory map (e820_table) must agree with the slots: all RAM that it lists lies in
// them. What was compared, in words; a kernel without the table is not an error.
Result<std::string> check_memory_map(const KernelSpace& kernel, std::uint64_t e820_table);

// The CPUs whose pointers can be read. At least one.
Result<std::vector<GuestCpu>> read_cpus(const KernelSpace& kernel, const CpuLayout& layout);

// The self-test: the words say what held.
Result<std::string> check_first_task(const GuestKernel& kernel);
Result<std::string> check_task_list(const GuestKernel& kernel, TaskWalk& walk);
Result<std::string> check_first_process(const TaskWalk& walk);
Result<std::string> check_running_tasks(const GuestKernel& kernel, const TaskWalk& walk);

}  // namespace iovm::record
