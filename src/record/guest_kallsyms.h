// SPDX-License-Identifier: Apache-2.0
//
// The kernel's own symbol table, read out of its memory (kernel/kallsyms.c, scripts/kallsyms.c).
// Per symbol there is a compressed name (a length of one or two bytes, then that many indices into
// a table of 256 short strings) and a 32-bit offset; the first character of a name is its type.
//
// What an offset means has changed, so each meaning is tried on a symbol whose address is known
// otherwise (the anchor: `_stext` from VMCOREINFO) and the one that fits is taken:
//   percpu_absolute  until 6.14: not negative, the value itself (per-CPU symbols start at 0);
//                    negative, kallsyms_relative_base - 1 - offset
//   from_base        from 6.15: kallsyms_relative_base + offset, unsigned; per-CPU symbols have
//                    addresses like any other
//   from_place       in 7.x: relative to the offset's own place
//
// The table is the guest's: its size is limited, a name that does not expand ends the decoding.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/result.h"
#include "record/guest_pagetable.h"
#include "record/guest_vmcoreinfo.h"

namespace iovm::record {

// Addresses of the tables.
struct KallsymsTables {
  std::uint64_t names = 0;
  std::uint64_t num_syms = 0;
  std::uint64_t token_table = 0;
  std::uint64_t token_index = 0;
  std::uint64_t offsets = 0;
  std::optional<std::uint64_t> relative_base;
};

// What VMCOREINFO says since 6.0; nothing if it does not.
std::optional<KallsymsTables> kallsyms_tables(const VmcoreInfo& info);

struct KallsymsAnchor {
  std::string_view name;
  std::uint64_t address = 0;
};

enum class KallsymsOffsets : std::uint8_t { percpu_absolute, from_base, from_place };

struct Kallsyms {
  KallsymsOffsets meaning = KallsymsOffsets::percpu_absolute;
  std::uint32_t count = 0;                                    // of all symbols
  std::map<std::string, std::uint64_t, std::less<>> symbols;  // those wanted and found

  std::optional<std::uint64_t> find(std::string_view name) const;
};

// The first of each wanted name. An error says which table is bad.
Result<Kallsyms> read_kallsyms(const KernelSpace& kernel, const KallsymsTables& tables,
                               const KallsymsAnchor& anchor,
                               const std::set<std::string_view>& wanted);

}  // namespace iovm::record
