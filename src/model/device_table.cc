// SPDX-License-Identifier: Apache-2.0
#include "model/device_table.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/format.h"

namespace iovm::model {
namespace {

bool fits(const RegisterRow& row, std::uint64_t number, std::uint8_t size,
          std::optional<std::uint32_t> index) {
  if (number < row.first || number > row.last) return false;
  if (row.size != 0 && size != 0 && row.size != size) return false;
  if (row.behind_index != index.has_value()) return false;
  return !index || (*index >= row.first_index && *index <= row.last_index);
}

// Rows that share an address begin at the same one (the parser sees to that), so only those that
// begin last before the number can have it.
const RegisterRow* find_row(const DeviceRow& device, Space space, std::uint64_t number,
                            std::uint8_t size, std::optional<std::uint32_t> index) {
  const auto& rows = device.registers;
  auto at = std::upper_bound(
      rows.begin(), rows.end(), std::pair(space, number),
      [](const auto& key, const RegisterRow& r) { return key < std::pair(r.space, r.first); });
  if (at == rows.begin()) return nullptr;
  std::uint64_t first = std::prev(at)->first;
  while (at != rows.begin() && std::prev(at)->first == first && std::prev(at)->space == space) {
    --at;
    if (fits(*at, number, size, index)) return &*at;
  }
  return nullptr;
}

}  // namespace

const DeviceTable& DeviceTable::built_in() {
  static const DeviceTable table = [] {
    auto parsed = parse(device_texts());
    IOVM_ASSERT(static_cast<bool>(parsed));
    return std::move(*parsed);
  }();
  return table;
}

const DeviceRow* DeviceTable::find(const DeviceType& type) const {
  auto it = std::ranges::lower_bound(devices_, type, {}, &DeviceRow::type);
  return it != devices_.end() && it->type == type ? &*it : nullptr;
}

const RegisterRow* DeviceTable::find_register(const DeviceType& type, Space space,
                                              std::uint64_t number, std::uint8_t size,
                                              std::optional<std::uint32_t> index) const {
  DeviceType kin = type;
  for (int i = 0; i < 3; ++i) {
    const DeviceRow* device = find(kin);
    if (device != nullptr) {
      if (const RegisterRow* row = find_row(*device, space, number, size, index)) return row;
    }
    if (type.bus != Bus::pci) break;
    // What is the same for a vendor's devices is so for those without registers of their own.
    bool own = device != nullptr && !device->registers.empty();
    kin.number = kAnyNumber;
    if (i == 1 || own) kin.vendor = kAnyNumber;
  }
  return nullptr;
}

std::uint32_t DeviceTable::unit(const DeviceType& type, Space space, std::uint64_t number) const {
  const DeviceRow* device = find(type);
  if (device == nullptr || !device->units) return 0;
  const Units& units = *device->units;
  if (space != units.space || number < units.first) return 0;
  std::uint64_t which = (number - units.first) / units.step;
  return which < units.times ? static_cast<std::uint32_t>(which) + 1 : 0;
}

DeviceType DeviceTable::fixed_device(Space space, std::uint64_t address) const {
  auto after = std::upper_bound(fixed_.begin(), fixed_.end(), std::pair(space, address),
                                [](const auto& key, const Range& range) {
                                  return key < std::pair(range.space, range.first);
                                });
  if (after == fixed_.begin()) return {};
  --after;
  return after->space == space && address <= after->last ? after->device : DeviceType{};
}

// Sorts, and makes the map of fixed devices.
Status DeviceTable::index() {
  std::ranges::sort(devices_, {}, &DeviceRow::type);
  for (DeviceRow& device : devices_) {
    std::ranges::stable_sort(device.registers, {},
                             [](const RegisterRow& r) { return std::pair(r.space, r.first); });
    for (const RegisterRow& r : device.registers) {
      bool fixed = device.type.bus == Bus::pc && !r.behind_index &&
                   (r.space == Space::port || r.space == Space::memory);
      if (fixed) fixed_.push_back({r.space, r.first, r.last, device.type});
    }
  }
  std::ranges::sort(fixed_, {}, [](const Range& r) { return std::pair(r.space, r.first); });
  for (std::size_t i = 1; i < fixed_.size(); ++i) {
    const Range &a = fixed_[i - 1], &b = fixed_[i];
    if (a.space == b.space && a.last >= b.first) {
      return input_error(iovm::format("two devices have the address 0x{:x}", b.first));
    }
  }
  return {};
}

}  // namespace iovm::model
