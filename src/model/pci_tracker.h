// SPDX-License-Identifier: Apache-2.0
//
// The PCI layout of one VM, learned from its own configuration traffic as it goes by: which
// function answers at which place, what its BARs decode and where they sit now. Firmware sizes each
// BAR (write all ones, read the mask back), places it, and the kernel may move it; a reboot starts
// over; a bridge that gets other bus numbers, or an identity that reads back differently, ends what
// was there. Capabilities say where in a BAR virtio and MSI-X structures lie, and some registers of
// the chip set place ports of the PC (the tables' `moves`). Nothing is asked of the VMM, so it
// works on a recording years old; where a recording began after the boot, its context may tell the
// layout to begin with.
//
// A change tells which addresses mean something else now, so that nobody has to forget the others.
//
// Everything here is told by a guest: the state is bounded (kMaxFunctions), sizes are checked to be
// powers of two, and of overlapping ranges the one placed last counts.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "model/device.h"
#include "trace/event.h"

namespace iovm::model {

inline constexpr std::size_t kMaxFunctions = 1024;

class PciTracker {
 public:
  // Where a port or an address lands.
  struct Hit {
    DeviceType type;
    std::uint32_t bdf = 0;
    Space space = Space::bar0;  // for a moved part of the PC: port
    std::uint64_t offset = 0;   // ... the port where the tables have it
    std::uint64_t bar_size = 0;
  };
  struct Addresses {
    bool memory = false;  // or ports
    std::uint64_t first = 0;
    std::uint64_t last = 0;
  };

  // An access to configuration register `reg` of function `bdf`. The addresses that mean something
  // else after it; valid until the next call.
  std::span<const Addresses> config_access(std::uint32_t bdf, std::uint32_t reg,
                                           const trace::Event& event);

  // Whether a function has answered there.
  bool knows(std::uint32_t bdf) { return function(bdf) != nullptr; }

  // The range at an address; `memory` or else a port.
  std::optional<Hit> find(bool memory, std::uint64_t address) const;

  // The memory-mapped configuration window (ECAM): function and register of an address.
  struct ConfigPlace {
    std::uint32_t bdf = 0;
    std::uint32_t reg = 0;
  };
  std::optional<ConfigPlace> find_ecam(std::uint64_t address) const;

 private:
  struct Bar {
    std::uint32_t raw = 0;   // as last written or read
    std::uint32_t mask = 0;  // as read back after all ones; 0 unknown
    bool sizing = false;     // all ones written, mask not read yet
    bool is_port = false;
    bool is_64 = false;
  };
  // A part of a BAR that a capability describes.
  struct Structure {
    Space space = Space::common;
    std::uint8_t bar = 0;
    std::uint64_t offset = 0;
    std::uint64_t length = 0;

    friend bool operator==(const Structure&, const Structure&) = default;
  };
  struct Function {
    DeviceType type;
    bool bridge = false;
    std::uint32_t buses = 0;  // of a bridge: secondary << 8 | subordinate << 16
    std::array<Bar, 6> bars = {};
    std::vector<Structure> structures;
    std::array<std::uint8_t, 256> config = {};  // as read, from the capabilities on
    std::bitset<256> config_known;
  };
  // A window of addresses that a function decodes. Slots: its BARs, then the tables' moves.
  struct Range {
    Addresses at;
    std::uint32_t bdf = 0;
    std::uint8_t slot = 0;
    std::uint64_t order = 0;  // of placement
    std::uint64_t to = 0;     // of a moved part: the port in the tables
  };

  Function* function(std::uint32_t bdf);
  void identity_read(std::uint32_t bdf, std::uint32_t reg, const trace::Event& event);
  void forget(std::uint32_t bdf);
  void bus_numbers(Function& f, std::uint32_t reg, const trace::Event& event);
  void bar_access(std::uint32_t bdf, Function& f, std::uint32_t reg, const trace::Event& event);
  void capability_read(std::uint32_t bdf, Function& f, std::uint32_t reg,
                       const trace::Event& event);
  void virtio_structure(std::uint32_t bdf, Function& f, std::uint32_t at);
  void msix_structures(std::uint32_t bdf, Function& f, std::uint32_t at);
  void add_structure(std::uint32_t bdf, Function& f, const Structure& structure);
  void moved_ports(std::uint32_t bdf, const Function& f, std::uint32_t reg,
                   const trace::Event& event);
  void ecam_access(const trace::Event& event);
  static std::optional<Addresses> bar_addresses(const Function& f, std::size_t bar);
  void place(std::uint32_t bdf, std::uint8_t slot, std::optional<Addresses> at, std::uint64_t to);

  std::unordered_map<std::uint32_t, Function> functions_;
  Function* last_ = nullptr;  // of the last look; the map never moves its values
  std::uint32_t last_bdf_ = 0;
  std::vector<Range> ranges_;  // by memory, first
  std::uint64_t placed_ = 0;
  std::vector<Addresses> changed_;
  std::uint64_t ecam_base_ = 0;
  std::uint64_t ecam_size_ = 0;
};

}  // namespace iovm::model
