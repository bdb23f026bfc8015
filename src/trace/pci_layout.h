// SPDX-License-Identifier: Apache-2.0
//
// Where the PCI devices of a VM were when a recording began, as its VMM told: for a VM that booted
// long before, whose configuration traffic nobody saw; or when a part of a recording begins, as the
// traffic before it told. It travels with the VM in the trace's context. The traffic in the trace
// itself knows better from there on.
//
// The numbers are as somebody told them, a VMM or a file: overlapping, misaligned and endless
// regions are possible, and whoever uses one looks at it first.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace iovm::trace {

inline constexpr std::uint8_t kRomRegion = 6;

struct PciRegion {
  std::uint8_t bar = 0;       // 0-5, kRomRegion
  bool memory = false;        // or ports
  bool wide = false;          // a memory BAR of 64 bits: it takes two registers
  std::uint64_t address = 0;  // 0: not placed
  std::uint64_t size = 0;     // bytes

  friend bool operator==(const PciRegion&, const PciRegion&) = default;
};

struct PciFunction {
  std::uint16_t place = 0;  // bus << 8 | device << 3 | function
  std::uint16_t vendor = 0;
  std::uint16_t device = 0;
  std::uint16_t class_code = 0;  // base class << 8 | subclass
  std::uint8_t secondary = 0;    // of a bridge: the bus behind it; 0: no bridge
  std::uint8_t subordinate = 0;  // ... the last bus behind it
  std::vector<PciRegion> regions = {};

  friend bool operator==(const PciFunction&, const PciFunction&) = default;
};

struct PciLayout {
  std::string from;  // who told: "QMP", "libvirt", "traffic"; empty: nobody did
  std::vector<PciFunction> functions;

  friend bool operator==(const PciLayout&, const PciLayout&) = default;
};

}  // namespace iovm::trace
