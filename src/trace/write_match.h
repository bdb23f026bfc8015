// SPDX-License-Identifier: Apache-2.0
//
// A write as it can be told in the exit itself, by what the kernel has at hand there: its address,
// its size and its value, and nothing that was before it. Whoever knows devices makes these
// (detect/rule_inline.h), a live source stops the VM at them (record/live.h).
#pragma once

#include <cstdint>

namespace iovm::trace {

struct WriteMatch {
  std::uint32_t number = 0;   // Event::stopped_by where it was this one; not 0
  bool memory = false;        // a guest-physical address, or else a port
  std::uint64_t address = 0;  // of its first byte
  std::uint8_t sizes = 0;     // the sum of those meant: 1, 2, 4, 8; 0: any
  // value & mask is from first to last; a mask of 0 with 0 to 0 is any value, also one not known.
  std::uint64_t mask = 0;
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  bool negated = false;  // or is not

  bool has_value(std::uint64_t value) const {
    std::uint64_t bits = value & mask;
    return (bits >= first && bits <= last) != negated;
  }
  bool has_size(std::uint8_t size) const { return sizes == 0 || (sizes & size) != 0; }

  friend bool operator==(const WriteMatch&, const WriteMatch&) = default;
};

}  // namespace iovm::trace
