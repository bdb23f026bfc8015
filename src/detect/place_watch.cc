// SPDX-License-Identifier: Apache-2.0
#include "detect/place_watch.h"

#include <algorithm>

namespace iovm::detect {
namespace {

using model::CodeClass;
using model::PlaceRow;

std::uint64_t device_bits(const model::DeviceType& device) {
  // Vendor 0 is no PCI device's, so the bus need not be in it.
  return static_cast<std::uint64_t>(device.vendor) << 16 | device.number;
}

// Offsets have 21 bits, classes 3.
std::uint64_t key_of(const PlaceRow& row) {
  return device_bits(row.device) << 24 | static_cast<std::uint64_t>(row.place.code) << 21 |
         row.place.offset;
}

}  // namespace

PlaceWatch::PlaceWatch(const model::ModelData& data)
    : places_(data.places), by_text_(!model::tells_the_kernel(data.places, CodeClass::module)) {}

PlaceWatch::Sight PlaceWatch::usual(model::Symbol symbol, std::size_t symbols, std::uint64_t key) {
  if (symbol >= symbols_) {
    usual_.resize(symbols);
    symbols_ = symbols;
  }
  usual_[symbol] = {key, usual_[symbol].last};
  return Sight::usual;
}

void PlaceWatch::boot(Vm& vm) {
  vm = {};
  usual_.clear();
  symbols_ = 0;
}

PlaceWatch::Sight PlaceWatch::look(const trace::Event& event, const model::Token& token,
                                   const model::Alphabet& alphabet, std::uint64_t key) {
  if (places_.empty() || model::is_unknown(token.symbol)) return Sight::usual;
  Vm& vm = vms_[event.vm];
  bool reset = token.code == CodeClass::firmware && event.has(trace::Field::cr3) && event.cr3 == 0;
  if (reset && !vm.places.empty()) boot(vm);
  const model::Operation& operation = alphabet.operation(token.symbol);
  auto place = model::place_of(token.code, event.rip);
  bool says = place && model::drives(operation) && !vm.other_kernel;
  if (!says || verdict(vm, {operation.device, *place, 0}) != Verdict::strange) {
    return usual(token.symbol, alphabet.size(), key);
  }
  bool one_more = std::ranges::find(vm.devices, operation.device) == vm.devices.end();
  vm.other_kernel = (vm.seen.strange >= kManyStrange && vm.seen.strange > vm.seen.known) ||
                    (vm.devices.size() >= kMostDevices && one_more);
  return vm.other_kernel ? Sight::other_kernel : Sight::strange;
}

PlaceWatch::Verdict PlaceWatch::verdict(Vm& vm, const PlaceRow& row) {
  auto remembered = vm.places.find(key_of(row));
  if (remembered != vm.places.end()) return remembered->second;
  if (!model::knows(places_, row.device)) return Verdict::known;  // another alarm's business
  bool known = model::contains(places_, row.device, row.place);
  Verdict out = known ? Verdict::known : Verdict::strange;
  if (vm.places.size() >= kMaxSeen) return out;
  vm.places.emplace(key_of(row), out);
  bool counts = !by_text_ || row.place.code == CodeClass::kernel;
  if (counts) ++(known ? vm.seen.known : vm.seen.strange);
  return out;
}

bool PlaceWatch::believes(std::uint16_t vm) const {
  auto it = vms_.find(vm);
  if (it == vms_.end()) return false;
  return !it->second.other_kernel && it->second.seen.known > it->second.seen.strange;
}

void PlaceWatch::told(std::uint16_t vm, const model::DeviceType& device) {
  Vm& state = vms_[vm];
  if (std::ranges::find(state.devices, device) == state.devices.end()) {
    state.devices.push_back(device);
    ++state.seen.devices;
  }
  for (auto& [key, verdict] : state.places) {
    if (key >> 24 == device_bits(device) && verdict == Verdict::strange) verdict = Verdict::told;
  }
}

PlaceWatch::Seen PlaceWatch::seen(std::uint16_t vm) const {
  auto it = vms_.find(vm);
  return it == vms_.end() ? Seen{} : it->second.seen;
}

}  // namespace iovm::detect
