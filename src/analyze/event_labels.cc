// SPDX-License-Identifier: Apache-2.0
#include "analyze/event_labels.h"

#include "base/format.h"

namespace iovm::analyze {

EventLabel EventLabels::see(const trace::Context& context, const trace::Event& event) {
  tokenizer_.know(context.vms);
  if (event.kind == trace::EventKind::loss) {
    tokenizer_.lost(event);
    return {};
  }
  model::Token token = tokenizer_(event);
  const DeviceText& device = device_text(token.device);
  return {token.device, &tokenizer_.devices()[token.device], device.key,
          device.place, register_text(token.symbol),         token.value_use};
}

const EventLabels::DeviceText& EventLabels::device_text(model::DeviceIndex index) {
  while (devices_.size() <= index) {
    const model::Device& device = tokenizer_.devices()[devices_.size()];
    DeviceText text{model::device_key(device.type), {}};
    if (device.type.bus == model::Bus::pci) text.place = model::function_text(device.place);
    devices_.push_back(std::move(text));
  }
  return devices_[index];
}

const std::string& EventLabels::register_text(model::Symbol symbol) {
  while (registers_.size() <= symbol) registers_.emplace_back();
  std::string& text = registers_[symbol];
  if (text.empty() && !model::is_unknown(symbol))
    text = model::describe_register(tokenizer_.alphabet().operation(symbol));
  return text;
}

}  // namespace iovm::analyze
