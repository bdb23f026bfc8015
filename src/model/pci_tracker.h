// SPDX-License-Identifier: Apache-2.0
//
// The PCI layout of one VM, learned from its own configuration traffic as it goes by: which
// function answers at which place (PciFunction) and what it decodes there (PciRanges). A reboot
// starts over; a bridge that gets other bus numbers, or an identity that reads back differently,
// ends what was there; some registers of the chip set place ports of the PC (the tables' `moves`).
// So it works on a recording years old. Where one began after the boot, its context may have the
// layout as the VMM told it (trace/pci_layout.h): that is what is known before the first access,
// and no more; the traffic knows better.
//
// A change tells which addresses mean something else now, so that nobody has to forget the others.
//
// Everything here is told by a guest or a file: the state is bounded (kMaxFunctions).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "model/device.h"
#include "model/pci_function.h"
#include "model/pci_ranges.h"
#include "trace/event.h"
#include "trace/pci_layout.h"

namespace iovm::model {

inline constexpr std::size_t kMaxFunctions = 1024;
inline constexpr std::uint32_t kIdentityEnd = 4;  // of vendor and device in a configuration space

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

  // An access to configuration register `reg` of function `bdf`. The addresses that mean something
  // else after it; valid until the next call.
  std::span<const Addresses> config_access(std::uint32_t bdf, std::uint32_t reg,
                                           const trace::Event& event) {
    PciFunction* function = functions_.find(bdf);
    // Where nobody has answered, an identity is all that there is to learn.
    if (function == nullptr && reg >= kIdentityEnd) return {};
    return learn(bdf, function, reg, event);
  }

  // The layout as the VMM told it; functions that are known already are left alone. The addresses
  // as above.
  std::span<const Addresses> know(const trace::PciLayout& layout);

  // The layout as it is now, for who goes on from here: `told` as the traffic changed it; that
  // it did is told ("QMP, traffic").
  // What the tables' `moves` placed and capabilities told has no room in it.
  trace::PciLayout layout(const trace::PciLayout& told) const;

  // Whether a function has answered there.
  bool knows(std::uint32_t bdf) const { return functions_.find(bdf) != nullptr; }

  // The range at an address; `memory` or else a port.
  std::optional<Hit> find(bool memory, std::uint64_t address) const;

  // The memory-mapped configuration window (ECAM): function and register of an address.
  struct ConfigPlace {
    std::uint32_t bdf = 0;
    std::uint32_t reg = 0;
  };
  std::optional<ConfigPlace> find_ecam(std::uint64_t address) const;

 private:
  std::span<const Addresses> learn(std::uint32_t bdf, PciFunction* f, std::uint32_t reg,
                                   const trace::Event& event);
  PciFunction* identity_read(std::uint32_t bdf, PciFunction* known, std::uint32_t reg,
                             const trace::Event& event);
  void forget(std::uint32_t bdf);
  void forget_buses(PciFunction::Buses buses);
  void place_bar(std::uint32_t bdf, const PciFunction& f, std::uint8_t bar);
  void moved_ports(std::uint32_t bdf, const PciFunction& f, std::uint32_t reg,
                   const trace::Event& event);
  void ecam_access(const trace::Event& event);

  // By place, in two steps: a boot looks at little else, and most of the time at nobody's place.
  class Functions {
   public:
    PciFunction* find(std::uint32_t bdf) const {
      const std::unique_ptr<Bus>& bus = buses_[bdf >> 8 & 0xff];
      return bus == nullptr ? nullptr : bus->functions[bdf & 0xff].get();
    }
    // Nothing if one is there already or they are kMaxFunctions.
    template <typename Told>
    PciFunction* add(std::uint32_t bdf, const Told& told);
    bool erase(std::uint32_t bdf);
    // The places of those on the buses.
    std::vector<std::uint32_t> on(PciFunction::Buses buses) const;

   private:
    struct Bus {
      std::array<std::unique_ptr<PciFunction>, 256> functions;
      std::size_t count = 0;  // never 0
    };
    std::array<std::unique_ptr<Bus>, 256> buses_;
    std::size_t count_ = 0;
  };

  Functions functions_;
  PciRanges ranges_;
  std::vector<Addresses> changed_;
  std::uint64_t ecam_base_ = 0;
  std::uint64_t ecam_size_ = 0;
};

}  // namespace iovm::model
