// SPDX-License-Identifier: Apache-2.0
#include "model/device.h"

#include <array>

#include "base/format.h"
#include "model/device_table.h"

namespace iovm::model {
namespace {

constexpr std::uint16_t kVirtioVendor = 0x1af4;
constexpr std::array<std::string_view, kSpaces> kSpaceNames = {
    "bar0",   "bar1",   "bar2",   "bar3", "bar4",   "bar5", "port", "memory",
    "config", "common", "notify", "isr",  "devcfg", "msix", "pba"};

}  // namespace

std::string_view name_of(Space space) {
  return kSpaceNames[static_cast<std::size_t>(space)];
}

std::string device_name(const DeviceType& type) {
  if (const DeviceRow* row = DeviceTable::built_in().find(type)) return row->name;
  if (type.bus == Bus::none) return "unassigned address";
  if (type.bus == Bus::pc) return iovm::format("PC device {}", type.number);
  if (type.vendor == kVirtioVendor) return iovm::format("virtio device {:04x}", type.number);
  return iovm::format("PCI device {:04x}:{:04x}", type.vendor, type.number);
}

std::string function_text(std::uint32_t bdf) {
  return iovm::format("{:02x}:{:02x}.{}", bdf >> 8 & 0xff, bdf >> 3 & 0x1f, bdf & 7);
}

std::string device_key(const DeviceType& type) {
  if (type.bus == Bus::none) return "unassigned";
  if (type.bus == Bus::pci) return iovm::format("{:04x}:{:04x}", type.vendor, type.number);
  if (const DeviceRow* row = DeviceTable::built_in().find(type)) return row->key;
  return iovm::format("pc{}", type.number);
}

Register find_register(const DeviceType& type, Space space, std::uint64_t number, std::uint8_t size,
                       std::optional<std::uint32_t> index) {
  const RegisterRow* row = DeviceTable::built_in().find_register(type, space, number, size, index);
  if (row == nullptr) return {.name = {}, .first = number};
  return {row->name, row->role, row->first, row->value_mask, row->latch};
}

std::uint32_t unit_of(const DeviceType& type, Space space, std::uint64_t number) {
  return DeviceTable::built_in().unit(type, space, number);
}

std::string unit_text(const DeviceType& type, std::uint32_t unit) {
  const DeviceRow* row = DeviceTable::built_in().find(type);
  std::string_view name = "unit";
  if (row != nullptr && row->units) name = row->units->name;
  return iovm::format("{} {}", name, unit - 1);
}

DeviceType fixed_device(Space space, std::uint64_t address) {
  return DeviceTable::built_in().fixed_device(space, address);
}

}  // namespace iovm::model
