// SPDX-License-Identifier: Apache-2.0
//
// Where a VM's profile (guest_profile.h) is kept: one small file for each VM, in a folder that is
// the recorder's alone (/var/cache/iovm for root). Its name has the user of the VMM and the VM's
// UUID, or its name: who can run a VM under a known one's name cannot write its profile.
//
// A file is taken only if folder and file are ours and nobody else's to write, it is small and
// whole; it is replaced as a whole, by renaming. What is wrong with one is said, and it counts for
// none: the next recording writes it anew.
#pragma once

#include <string>

#include "base/result.h"
#include "record/guest_profile.h"
#include "trace/context.h"

namespace iovm::record {

inline constexpr const char* kProfileFolder = "/var/cache/iovm";

// The path of a VM's file; empty: a VM that has neither UUID nor name has none.
std::string profile_path(const std::string& folder, const std::string& proc_root,
                         const trace::VmInfo& vm);

// Nothing in `path`: no profiles. The error says why there is none to be used.
Result<KernelProfile> load_profile(const std::string& path);
// Makes the folder if need be.
Status save_profile(const std::string& path, const KernelProfile& profile);

}  // namespace iovm::record
