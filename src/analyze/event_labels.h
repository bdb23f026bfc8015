// SPDX-License-Identifier: Apache-2.0
//
// What stands behind an event's address, in words, for listings: the device and its register. The
// words are worked out once for each symbol of the tokenizer and looked up after that. Like the
// tokenizer it must see every event of the recording from its start, because that is where the
// guest tells where its PCI devices are.
#pragma once

#include <deque>
#include <string>
#include <string_view>

#include "model/tokenizer.h"
#include "trace/context.h"
#include "trace/event.h"

namespace iovm::analyze {

struct EventLabel {
  model::DeviceIndex index = 0;
  const model::Device* device = nullptr;  // nothing for a loss
  std::string_view key;                   // "ide0", "8086:100e"
  std::string_view place;                 // of a PCI function: "00:03.0"; else empty
  std::string_view reg;                   // "command (0x1f7)", "BAR 0 + 0x3818"
  model::ValueUse value_use = model::ValueUse::none;
};

class EventLabels {
 public:
  // Numbers that only stand for system calls or the like (imported sequences) are no devices.
  explicit EventLabels(const trace::TraceInfo& info)
      : tokenizer_(info.source == "sequences" ? model::Scheme::addresses : model::Scheme::devices) {
  }
  // The PCI layout of a VM after the events seen so far.
  trace::PciLayout layout(const trace::Context& context, std::uint16_t vm) const {
    return tokenizer_.layout(vm, context.vms[vm].pci);
  }
  // The texts stay valid as long as this object.
  EventLabel see(const trace::Context& context, const trace::Event& event);

 private:
  struct DeviceText {
    std::string key;
    std::string place;
  };
  const DeviceText& device_text(model::DeviceIndex index);
  const std::string& register_text(model::Symbol symbol);

  model::Tokenizer tokenizer_;
  std::deque<DeviceText> devices_;     // by device index
  std::deque<std::string> registers_;  // by symbol; empty: not asked for yet
};

}  // namespace iovm::analyze
