// SPDX-License-Identifier: Apache-2.0
#include "model/device.h"

#include "base/format.h"
#include "model/register_table.h"

namespace iovm::model {
namespace {

constexpr std::uint16_t kVirtioVendor = 0x1af4;
constexpr std::uint16_t kAnyNumber = 0xffff;

const DeviceRow* find_device(const DeviceType& type) {
  for (const DeviceRow& row : device_rows()) {
    if (row.type == type) return &row;
  }
  return nullptr;
}

bool row_is_for(const RegisterRow& row, const DeviceType& type) {
  if (row.device == type) return true;
  return row.device.number == kAnyNumber && row.device.bus == type.bus &&
         row.device.vendor == type.vendor;
}

}  // namespace

std::string device_name(const DeviceType& type) {
  if (const DeviceRow* row = find_device(type)) return std::string(row->name);
  if (type.bus == Bus::none) return "unassigned address";
  if (type.bus == Bus::pc) return iovm::format("PC device {}", type.number);
  if (type.vendor == kVirtioVendor) return iovm::format("virtio device {:04x}", type.number);
  return iovm::format("PCI device {:04x}:{:04x}", type.vendor, type.number);
}

std::string device_key(const DeviceType& type) {
  if (type.bus == Bus::none) return "unassigned";
  if (type.bus == Bus::pci) return iovm::format("{:04x}:{:04x}", type.vendor, type.number);
  if (const DeviceRow* row = find_device(type)) return std::string(row->key);
  return iovm::format("pc{}", type.number);
}

Register find_register(const DeviceType& type, Space space, std::uint64_t number) {
  for (const RegisterRow& row : register_rows()) {
    if (row.space != space || number < row.first || number > row.last) continue;
    if (row_is_for(row, type)) return {row.name, row.role, row.first, row.value_mask, row.latch};
  }
  return {.name = {}, .first = number};
}

DeviceType fixed_device(Space space, std::uint64_t address) {
  for (const RegisterRow& row : register_rows()) {
    if (row.device.bus == Bus::pc && row.space == space && address >= row.first &&
        address <= row.last) {
      return row.device;
    }
  }
  return {};
}

}  // namespace iovm::model
