// SPDX-License-Identifier: Apache-2.0
//
// Which of a VMM's mappings are its guest's RAM, and at which guest-physical addresses they lie.
// KVM tells user space neither, so both are guesses that evidence decides later:
//
// - RAM is a large readable and writable mapping that is anonymous, memfd, shared memory or huge
//   pages. (QEMU under TCG has a larger one still, its code buffer; so size alone does not decide.)
// - A PC has a hole below 4 GiB for devices. QEMU and others map RAM once and cut it there: what
//   does not fit below the hole goes on at 4 GiB. Where the hole begins is the machine's choice
//   (hw/i386/pc_piix.c, pc_q35.c, microvm.c of QEMU; arch/src/x86_64/layout.rs of Firecracker;
//   x86/include/kvm/kvm-arch.h of kvmtool). Firecracker and its kin map the two parts apart.
//
// Every arrangement that could be is listed, likeliest first; the finder of the guest's kernel
// takes the first in which the kernel's own tables hold together (guest_kernel.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "record/guest_memory.h"

namespace iovm::record {

struct RamMapping {
  std::uint64_t start = 0;
  std::uint64_t size = 0;

  friend bool operator==(const RamMapping&, const RamMapping&) = default;
};

// Candidates in a /proc/PID/maps text, likeliest first: those of the size that the VM is known to
// have (0: not known), then by size; at most kMaxRamMappings.
inline constexpr std::size_t kMaxRamMappings = 12;
std::vector<RamMapping> find_ram(std::string_view maps, std::uint64_t memory);
Result<std::vector<RamMapping>> find_ram(const std::string& proc_root, std::int64_t pid,
                                         std::uint64_t memory);

// Where in a mapping of RAM the part above the hole can begin.
std::vector<std::uint64_t> holes_in(const RamMapping& mapping);

struct RamLayout {
  std::string name;  // "one block", "split at 3 GiB"
  GuestSlots slots;
};

// The arrangements in which `mapping` can be (part of) the guest's RAM, likeliest first. `others`
// are the further candidates, one of which may be the part above 4 GiB.
std::vector<RamLayout> layouts_of(const RamMapping& mapping, const std::vector<RamMapping>& others);

}  // namespace iovm::record
