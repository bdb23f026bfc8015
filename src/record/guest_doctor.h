// SPDX-License-Identifier: Apache-2.0
//
// What `iovm doctor --vm` says about a VM's guest: the steps of finding its kernel, each with what
// was found, and whether its processes can be named. All text is safe for a terminal.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "record/guest_kernel.h"

namespace iovm::record {

struct GuestDiagnosis {
  bool resolvable = false;         // guest processes can be named
  std::string summary;             // "Linux 6.1.0-56-amd64, 51 tasks, 2 CPUs" or what is in the way
  std::string next_step;           // what to do about it; empty if nothing
  std::vector<GuestCheck> checks;  // in their order
  std::chrono::nanoseconds took{0};
};

// `memory_size` as the VM lookup knows it, 0 if not; `profile` as find_guest has it. An error: the
// VMM's process cannot be read.
Result<GuestDiagnosis> diagnose_guest(const std::string& proc_root, pid_t vmm,
                                      std::uint64_t memory_size, const std::string& profile = {});

}  // namespace iovm::record
