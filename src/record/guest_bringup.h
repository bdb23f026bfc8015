// SPDX-License-Identifier: Apache-2.0
//
// The steps of finding a guest's kernel, one function each, for guest_kernel.cc: what each needs,
// checks and gives. A step that fails says why in words that name what it looked at.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "record/guest_btf.h"
#include "record/guest_kallsyms.h"
#include "record/guest_kernel.h"
#include "record/guest_vmcoreinfo.h"

namespace iovm::record {

// The kernel's root page table from VMCOREINFO; it must map the kernel's text where phys_base says.
Result<PageTables> check_page_tables(const GuestMemory& memory, const VmcoreInfo& info);

Result<Btf> read_btf(const KernelSpace& kernel, const Kallsyms& symbols);

// The guest's own memory map (e820_table) must agree with the slots: all RAM that it lists lies in
// them. What was compared, in words; a kernel without the table is not an error.
Result<std::string> check_memory_map(const KernelSpace& kernel, const Kallsyms& symbols);

// The CPUs whose pointers can be read. At least one.
Result<std::vector<GuestCpu>> read_cpus(const KernelSpace& kernel, const CpuLayout& layout);

// The self-test: the words say what held.
Result<std::string> check_first_task(const GuestKernel& kernel);
Result<std::string> check_task_list(const GuestKernel& kernel, TaskWalk& walk);
Result<std::string> check_first_process(const TaskWalk& walk);
Result<std::string> check_running_tasks(const GuestKernel& kernel, const TaskWalk& walk);

}  // namespace iovm::record
