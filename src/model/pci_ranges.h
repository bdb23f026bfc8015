// SPDX-License-Identifier: Apache-2.0
//
// Which function decodes an address, in one VM: the windows of all BARs and of the parts of the PC
// that a function moves, by address. Guests place them, so they may overlap: the one placed last
// counts. Every change says which addresses mean something else after it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace iovm::model {

struct Addresses {
  bool memory = false;  // or ports
  std::uint64_t first = 0;
  std::uint64_t last = 0;

  friend bool operator==(const Addresses&, const Addresses&) = default;
};

class PciRanges {
 public:
  // Slots: a function's BARs from 0 on, then the tables' moves.
  struct Range {
    Addresses at;
    std::uint32_t bdf = 0;
    std::uint8_t slot = 0;
    std::uint64_t order = 0;  // of placement
    std::uint64_t to = 0;     // of a moved part: the port in the tables
  };

  // The slot is there now, or nowhere. What changes is added to `changed`, here as below.
  void place(std::uint32_t bdf, std::uint8_t slot, std::optional<Addresses> at, std::uint64_t to,
             std::vector<Addresses>& changed);
  void erase(std::uint32_t bdf, std::vector<Addresses>& changed);
  // The windows of a function's slots below `slots`: they stay, and mean something else.
  void touch(std::uint32_t bdf, std::uint8_t slots, std::vector<Addresses>& changed) const;

  // The window at an address, or nothing; valid until the next change.
  const Range* find(bool memory, std::uint64_t address) const;

 private:
  // Behind every window that begins at or before the address.
  std::vector<Range>::const_iterator after(bool memory, std::uint64_t address) const;

  std::vector<Range> ranges_;  // by memory, first
  std::uint64_t placed_ = 0;
};

}  // namespace iovm::model
