// SPDX-License-Identifier: Apache-2.0
//
// The devices of a recording, numbered in the order of sight. Bounded: beyond kMaxDevices all
// further ones have the last number.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "model/tokenizer.h"

namespace iovm::model {

class DeviceNumbers {
 public:
  DeviceIndex operator()(const Device& device) {
    // Vendor 0 is no PCI device's (PciTracker), so the bus need not be in the key.
    Key key{static_cast<std::uint64_t>(device.type.vendor) << 48 |
                static_cast<std::uint64_t>(device.type.number) << 32 |
                static_cast<std::uint64_t>(device.vm) << 16 | (device.place & 0xffff),
            device.unit};
    auto known = numbers_.find(key);
    if (known != numbers_.end()) return known->second;
    if (devices_.size() >= kMaxDevices) return static_cast<DeviceIndex>(devices_.size() - 1);
    auto fresh = static_cast<DeviceIndex>(devices_.size());
    devices_.push_back(device);
    numbers_.emplace(key, fresh);
    return fresh;
  }

  const std::vector<Device>& devices() const { return devices_; }

 private:
  struct Key {
    std::uint64_t device = 0;
    std::uint32_t unit = 0;

    friend bool operator==(const Key&, const Key&) = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const {
      return static_cast<std::size_t>((key.device ^ key.unit) * 0x9e3779b97f4a7c15);
    }
  };

  std::vector<Device> devices_;
  std::unordered_map<Key, DeviceIndex, KeyHash> numbers_;
};

}  // namespace iovm::model
