// SPDX-License-Identifier: Apache-2.0
//
// What the tokenizer remembers of an address: the way in which an access to it becomes a symbol,
// and what that takes. Worked out at the first access, kept in hashes (access_cache.h) until the
// PCI layout changes there.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "model/device.h"
#include "model/symbol.h"
#include "model/tokenizer.h"

namespace iovm::model {

// What to do with an access to one address.
enum class Way : std::uint8_t {
  plain,           // the symbol is known
  valued,          // the value counts
  learned,         // the value counts as long as there are few
  latching,        // the value counts and selects a register
  pair,            // index and value in one access
  indexed,         // the selected register counts, for some its value too
  toggle,          // index and data by turns
  rearm,           // a read makes the toggle expect an index
  status,          // a read latches the phase
  phased,          // the value counts if the device waits for a command
  phase_over,      // a read of the register that takes commands at times
  config_address,  // the address port of PCI configuration; from here on all of it
  config_data,     // the data port of PCI configuration
  config_ecam,     // memory-mapped PCI configuration
};

// How an address is handled; the part that need not be looked at for plain ones.
struct Plan {
  Operation base;
  std::uint64_t value_mask = 0;
  std::uint8_t latch = 0;
  std::uint16_t values = 0;     // of a learned one, so far
  std::optional<Symbol> plain;  // the operation without value and index, once it has occurred
};

// What the value hash remembers.
struct Known {
  Symbol symbol = kOverflow;
  std::uint64_t value_mask = 0;  // of a register behind an index whose value counts; 0 does not
};

// What the address hash remembers.
struct Meaning {
  Way way = Way::plain;
  Symbol symbol = kOverflow;
  DeviceIndex device = 0;
  std::uint32_t plan = 0;
};

struct Latch {
  std::uint32_t value = 0;
  bool known = false;
  bool armed = false;  // of a toggle: it is known which turn it is
  bool data_next = false;
};
using Latches = std::array<Latch, kLatches>;

}  // namespace iovm::model
