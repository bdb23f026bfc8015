// SPDX-License-Identifier: Apache-2.0
//
// Where KVM's tracepoints have their arguments, by name: a kernel is free to add one in the middle.
// The names are among the types of the kernel, or of kvm where that is a module, at the functions
// __traceiter_NAME through which each tracepoint goes; the tracepoints' own types have none.
#pragma once

#include <string>

#include "base/result.h"
#include "record/bpf/state.h"

namespace iovm::record {

// Fills the positions in `settings`, and whether its structures can be loaded from directly (its
// kind of KVM is set by then); whether kvm_fast_mmio, which old kernels have not, is there.
// `btf` is the folder /sys/kernel/btf.
Result<bool> find_arguments(const std::string& btf, iovm_bpf_settings& settings);

}  // namespace iovm::record
