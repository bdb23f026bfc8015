// SPDX-License-Identifier: Apache-2.0
//
// One PCI function, as far as the accesses to its configuration space tell: its BARs (firmware
// writes all ones, reads the mask back, writes the place), the buses behind a bridge, and the
// capabilities that say where in a BAR virtio and MSI-X structures lie. What a VMM told of it may
// stand in for accesses that nobody saw. The whole machine is PciTracker's.
//
// All of it is told by a guest: sizes are checked to be powers of two, places to be aligned.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <optional>
#include <vector>

#include "model/device.h"
#include "model/pci_ranges.h"
#include "trace/event.h"
#include "trace/pci_layout.h"

namespace iovm::model {

inline constexpr std::uint8_t kBars = 6;

class PciFunction {
 public:
  // A part of a BAR that a capability describes.
  struct Structure {
    Space space = Space::common;
    std::uint8_t bar = 0;
    std::uint64_t offset = 0;
    std::uint64_t length = 0;

    friend bool operator==(const Structure&, const Structure&) = default;
  };
  struct Buses {
    std::uint32_t first = 0;
    std::uint32_t last = 0;
  };

  PciFunction() = default;
  explicit PciFunction(DeviceType function_type) : type(function_type) {}
  // As a VMM tells it.
  explicit PciFunction(const trace::PciFunction& told);

  DeviceType type;
  bool bridge = false;

  // An access to the register of a BAR: the BAR that may be elsewhere now, nothing while one is
  // being sized.
  std::optional<std::uint8_t> bar_access(std::uint32_t reg, const trace::Event& event);
  // Where a BAR is; nothing: not known, nowhere, or the upper half of another.
  std::optional<Addresses> bar_addresses(std::size_t number) const;

  // What is known of it now, over what was told of it: its class, its ROM and BARs that cannot be.
  trace::PciFunction layout(std::uint16_t place, const trace::PciFunction* told) const;

  // A write to a bridge's bus numbers: the buses that it no longer leads to by their old numbers.
  std::optional<Buses> bus_numbers(std::uint32_t reg, const trace::Event& event);

  // A read of what lies behind the header: whether it told a structure that was not known so.
  bool capability_read(std::uint32_t reg, const trace::Event& event);
  const std::vector<Structure>& structures() const { return structures_; }

 private:
  struct Bar {
    std::uint32_t raw = 0;   // as last written or read
    std::uint32_t mask = 0;  // as read back after all ones; 0 unknown
    bool sizing = false;     // all ones written, mask not read yet
    bool is_port = false;
    bool is_64 = false;
  };

  // In bytes; nothing: not known, or the upper half of another.
  std::optional<std::uint64_t> bar_size(std::size_t number) const;
  std::optional<trace::PciRegion> bar_region(std::uint8_t number) const;
  void know_bar(const trace::PciRegion& region);
  void assume_structures();
  bool virtio_structure(std::uint32_t at);
  bool msix_structures(std::uint32_t at);
  bool add_structure(const Structure& structure);

  std::uint32_t buses_ = 0;  // of a bridge: secondary << 8 | subordinate << 16
  std::array<Bar, kBars> bars_ = {};
  std::vector<Structure> structures_;
  std::array<std::uint8_t, 256> config_ = {};  // as read, from the capabilities on
  std::bitset<256> config_known_;
};

}  // namespace iovm::model
