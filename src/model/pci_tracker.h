// SPDX-License-Identifier: Apache-2.0
//
// The PCI layout of one VM, learned from its own configuration traffic as it goes by: which
// function answers at which place, what its BARs decode and where they sit now. Firmware sizes each
// BAR (write all ones, read the mask back), places it, and the kernel may move it; a reboot starts
// over. Nothing is asked of the VMM, so it works on a recording years old.
//
// Everything here is told by a guest: the state is bounded (kMaxFunctions), sizes are checked to be
// powers of two, and overlapping BARs resolve to the one placed last.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
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
    Space space = Space::bar0;
    std::uint64_t offset = 0;
    std::uint64_t bar_size = 0;
  };

  // An access to configuration register `reg` of function `bdf`. True if the layout changed.
  bool config_access(std::uint32_t bdf, std::uint32_t reg, const trace::Event& event);

  // The BAR at an address; `memory` or else a port.
  std::optional<Hit> find(bool memory, std::uint64_t address);

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
  struct Function {
    DeviceType type;
    bool bridge = false;
    std::array<Bar, 6> bars = {};
  };
  struct Range {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    std::uint32_t bdf = 0;
    std::uint8_t bar = 0;
    bool memory = false;
  };

  Function* function(std::uint32_t bdf);
  bool bar_access(Function& f, std::size_t bar, const trace::Event& event);
  bool identity_read(std::uint32_t bdf, const trace::Event& event);
  void rebuild();
  void add_range(std::uint32_t bdf, const Function& f, std::size_t bar);

  std::unordered_map<std::uint32_t, Function> functions_;
  std::vector<Range> ranges_;  // by first; later placed ones win
  bool stale_ = false;         // ranges_ are rebuilt at the next look
  std::uint64_t ecam_base_ = 0;
  std::uint64_t ecam_size_ = 0;
};

}  // namespace iovm::model
