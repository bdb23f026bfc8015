// SPDX-License-Identifier: Apache-2.0
//
// The one mapping from Event to Symbol. It watches the guest's PCI configuration traffic as it goes
// by (PciTracker), so that a device keeps its symbols when its BARs move, and begins with what the
// context says of the layout if the recording began after the boot; it follows index/data
// pairs, so that "write to 0x71" becomes "write to CMOS register 0x0f"; and it folds what must not
// count as different (windows, data). Registers of PCI devices that no table has keep the value
// written until kLearnedValues different ones were seen: training decides (fold.h) whether they
// take few values.
//
// Speed: an address is worked out once; after that one look into a hash of (VM, kind, direction,
// size, address) gives the symbol, a second one where the value or a latched index belongs to it.
// A change in the PCI layout forgets the addresses that it touched.
//
// One Tokenizer serves one recording (any number of VMs); its state is that recording's. Not
// thread-safe, no sharing.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/code_class.h"
#include "model/symbol.h"
#include "trace/context.h"
#include "trace/event.h"

namespace iovm::model {

// What symbols are made of.
enum class Scheme : std::uint8_t {
  devices,    // device, register, role: recordings of machines
  addresses,  // kind, address, direction and size as they are: imported number sequences
};

// A device of one VM of the recording, or a part of it that works by itself (model/device_table.h):
// what a per-device stream is about.
struct Device {
  DeviceType type;
  std::uint16_t vm = 0;
  std::uint32_t place = 0;  // PCI: bus << 8 | device << 3 | function; 0 else
  std::uint32_t unit = 0;   // the part of it that works by itself, from 1; 0 the device as a whole

  friend bool operator==(const Device&, const Device&) = default;
};
using DeviceIndex = std::uint32_t;
inline constexpr std::size_t kMaxDevices = 65536;

// "floppy controller", "PCI 00:03.0 Intel 82540EM network controller (e1000)", "PCI 00:1f.2 Intel
// ICH9 AHCI controller, port 3".
std::string describe(const Device& device);

// What an event's value is good for, beside being what it is.
enum class ValueUse : std::uint8_t {
  none,    // data: no symbol depends on it
  symbol,  // a command, an index, a phase: this symbol or a later one depends on it
  layout,  // PCI configuration: it tells where the devices are
};

struct Token {
  Symbol symbol = kOverflow;
  DeviceIndex device = 0;
  CodeClass code = CodeClass::unrecorded;
  ValueUse value_use = ValueUse::none;
};

// So many values of a register that no table has are told apart in a recording.
inline constexpr std::uint16_t kLearnedValues = 16;

class Tokenizer {
 public:
  explicit Tokenizer(Scheme scheme = Scheme::devices);
  ~Tokenizer();
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;

  // The VMs that the recording's context tells by now, before their events: the PCI layouts of
  // those that are new in it are where their devices are to begin with.
  void know(std::span<const trace::VmInfo> vms);
  // Where the PCI devices of a VM are by now: what its context told, as the events since changed
  // it.
  trace::PciLayout layout(std::uint16_t vm, const trace::PciLayout& told) const;
  // Any event but a loss.
  Token operator()(const trace::Event& event) {
    Token token;
    tokenize(event, token);
    return token;
  }
  // The same for loops that count nanoseconds: a token given back is put together in registers,
  // which takes as long as all the rest.
  void tokenize(const trace::Event& event, Token& token);
  // A loss: what was latched (indices, phases) is no longer known. Learned BARs stay.
  void lost(const trace::Event& loss);

  // Grows with every new operation; symbols stay what they are.
  const Alphabet& alphabet() const;
  // Devices by index, in the order of sight.
  const std::vector<Device>& devices() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace iovm::model
