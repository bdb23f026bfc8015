// SPDX-License-Identifier: Apache-2.0
//
// VMCOREINFO: the page of text that a Linux kernel keeps about itself for its crash dumps
// (kernel/vmcore_info.c, earlier kernel/crash_core.c; x86's part in
// arch/x86/kernel/vmcore_info_64.c). It says where the kernel is, KASLR or not, and since 6.0 where
// its symbol table is. The kernel has two copies: one at the start of a page, one as an ELF note
// (12 bytes of head, the name "VMCOREINFO", then the text at 24), also at the start of a page; so a
// scan looks at 34 bytes of each page that the guest has ever touched. The kernel takes the pages
// early, from the bottom of the highest zone of its memory: between 19 and 27 MiB in guests of
// 256 MiB to 1 GiB, 9 MiB above 4 GiB in one of 4 GiB (6.1, 6.18, 7.3). There the scan begins.
//
// Found texts are claims. A former boot, a captured dump or an attacker can have left others; the
// finder tries each until one holds together.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "record/guest_memory.h"
#include "record/guest_ram.h"

namespace iovm::record {

struct VmcoreInfo {
  std::uint64_t hva = 0;  // where the text was found
  std::string release;    // "6.1.0-56-amd64"
  std::string build_id;   // hexadecimal; empty before 5.9
  std::uint64_t page_size = 4096;
  std::int64_t phys_base = 0;  // physical minus (virtual - kKernelMap) of the kernel's image
  bool five_levels = false;
  std::uint64_t sme_mask = 0;                                 // not 0: the memory is encrypted
  std::map<std::string, std::uint64_t, std::less<>> symbols;  // as they are in this boot

  std::optional<std::uint64_t> symbol(std::string_view name) const;
};

// Where the kernel's image is mapped (__START_KERNEL_map), before KASLR moves it.
inline constexpr std::uint64_t kKernelMap = 0xffffffff80000000;

// Nothing if it lacks what every one has (release, phys_base, init_top_pgt) or is malformed.
std::optional<VmcoreInfo> parse_vmcoreinfo(std::string_view text);

struct SearchLimits {
  std::function<bool()> stop = [] { return false; };  // asked now and then; true: give up
  std::vector<std::uint64_t>
      rejected;  // texts that led to a kernel nobody runs on: VmcoreInfo::hva
};

// Gives the different texts in a mapping to `take` as they are found, until it says that it has
// what it wanted or the time is up, but no sooner: any process of a guest can fill its memory with
// texts that look like one, and must not hide the kernel's own by that. The number of pages looked
// at.
using TakeVmcoreInfo = std::function<bool(const VmcoreInfo&)>;
std::uint64_t scan_for_vmcoreinfo(const GuestMemory& memory, const RamMapping& mapping,
                                  const SearchLimits& limits, const TakeVmcoreInfo& take);

}  // namespace iovm::record
