// SPDX-License-Identifier: Apache-2.0
//
// How a source's kernel side can read the tasks of a guest's kernel at the exit itself, while the
// vCPU stands (kmod/uapi/iovm_abi.h, IOVM_IOC_GUEST): in the VMM's memory, through the direct map,
// as far as the guest's own page tables agree with it, and init_task in the kernel's image. It
// walks no page tables; what is not in these ranges it does not read.
#pragma once

#include <cstdint>

#include "iovm_abi.h"
#include "record/guest_kernel.h"

namespace iovm::record {

iovm_guest kernel_side_of(const GuestKernel& kernel, std::int64_t vmm);

}  // namespace iovm::record
