// SPDX-License-Identifier: Apache-2.0
//
// The tables that device.cc looks into: devices by name, registers by role. Rows only; whatever
// cannot be said in a row is a matter of the tokenizer.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "model/device.h"

namespace iovm::model {

struct DeviceRow {
  DeviceType type;
  std::string_view key;   // for a PCI device empty: its key is vendor:device
  std::string_view name;  // in words
};

struct RegisterRow {
  DeviceType device;
  Space space = Space::port;
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::string_view name;
  Role role = Role::data;
  std::uint64_t value_mask = ~std::uint64_t{0};
  std::uint8_t latch = 0;
};

std::span<const DeviceRow> device_rows();
std::span<const RegisterRow> register_rows();

}  // namespace iovm::model
