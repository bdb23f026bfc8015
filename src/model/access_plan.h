// SPDX-License-Identifier: Apache-2.0
//
// What an access to an address means, worked out from the PCI layout and the device tables alone:
// the way in which it becomes a symbol, and what that takes. The tokenizer does so at the first
// access, and keeps it in hashes (access_cache.h) until the PCI layout changes there.
#pragma once

#include <array>
#include <cstdint>

#include "model/code_class.h"
#include "model/device.h"
#include "model/pci_tracker.h"
#include "model/symbol.h"
#include "trace/event.h"

namespace iovm::model {

// Index and value in one access: the value is above the index.
inline constexpr unsigned kPairShift = 8;

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

// How an address is handled.
struct Plan {
  Operation base;  // without value and index
  Way way = Way::plain;
  std::uint64_t value_mask = 0;
  std::uint8_t latch = 0;
  std::uint32_t place = 0;  // of the device, if it is a PCI one
  std::uint32_t unit = 0;   // of the device
};

Plan plan_access(const trace::Event& event, CodeClass code, const PciTracker& pci);
// Of imported numbers: the address is the register.
Operation bare_access(const trace::Event& event);

// The register behind an index, whatever the value; of a function, for PCI configuration.
Operation behind_index(const Plan& plan, std::uint32_t index);
// The bits of a value that count for it: of a write to a command register, 0 else.
std::uint32_t value_mask_behind(const Plan& plan, std::uint32_t index, const trace::Event& event);

inline bool is_repeated(const trace::Event& event) {
  return event.has(trace::Field::count) && event.count > 1;
}

// What was selected or seen last, that later accesses depend on.
struct Latch {
  std::uint32_t value = 0;
  bool known = false;
  bool armed = false;  // of a toggle: it is known which turn it is
  bool data_next = false;
};
using Latches = std::array<Latch, kLatches>;

}  // namespace iovm::model
