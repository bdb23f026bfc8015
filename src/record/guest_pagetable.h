// SPDX-License-Identifier: Apache-2.0
//
// Virtual addresses of a guest: x86-64's page tables (Intel SDM volume 3, 4.5; 4 or 5 levels; pages
// of 4 KiB, 2 MiB and 1 GiB) walked in guest-physical memory, and a reader of the kernel's own
// address space on top.
//
// A walk makes at most five reads and cannot loop, whatever the tables say; tables that map
// themselves are just mappings. What it returns is still the guest's claim.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "record/guest_memory.h"

namespace iovm::record {

// CR3 as the CPU holds it, without PCID (bits 0-11), LAM (61, 62) and the no-flush bit (63).
inline constexpr std::uint64_t kPageTableMask = 0x000ffffffffff000;
// With page table isolation a process has two roots, side by side: the user's is the kernel's plus
// one page (arch/x86/include/asm/processor-flags.h, PTI_USER_PGTABLE_BIT).
inline constexpr std::uint64_t kUserRootBit = 0x1000;

struct PageMapping {
  std::uint64_t gpa = 0;   // of the address asked for
  std::uint64_t size = 0;  // of its page
  bool user = false;       // allowed to user mode at every level
};

struct PageTables {
  std::uint64_t root = 0;  // guest-physical
  bool five_levels = false;

  std::optional<PageMapping> walk(const GuestMemory& memory, std::uint64_t va) const;
};

// Reads kernel addresses through one root, with a small cache of translations. The kernel's direct
// map and image stay where they are; vmalloc's do not, so the owner calls forget() now and then.
class KernelSpace {
 public:
  KernelSpace(const GuestMemory& memory, PageTables tables) : memory_(&memory), tables_(tables) {}

  const PageTables& tables() const { return tables_; }
  const GuestMemory& memory() const { return *memory_; }

  std::optional<std::uint64_t> translate(std::uint64_t va) const;
  bool read(std::uint64_t va, std::span<std::byte> out) const;
  // Up to `limit` bytes, ended by a zero; nothing if the first byte cannot be read.
  std::optional<std::string> text(std::uint64_t va, std::size_t limit) const;

  template <typename T>
  std::optional<T> value(std::uint64_t va) const {
    static_assert(std::is_trivially_copyable_v<T>);
    T v;
    if (!read(va, std::as_writable_bytes(std::span(&v, 1)))) return std::nullopt;
    return v;
  }

  void forget() const { cache_ = {}; }

 private:
  struct Line {
    std::uint64_t page = 0;  // virtual page number, 0 none
    std::uint64_t gpa = 0;
  };
  static constexpr std::size_t kLines = 1024;

  const GuestMemory* memory_;
  PageTables tables_;
  mutable std::array<Line, kLines> cache_ = {};
};

// A kernel-half, canonical address: the only kind worth following.
inline bool is_kernel_address(std::uint64_t va, bool five_levels) {
  return five_levels ? va >= 0xff00000000000000 : va >= 0xffff800000000000;
}

}  // namespace iovm::record
