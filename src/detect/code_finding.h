// SPDX-License-Identifier: Apache-2.0
//
// What an alert says of the code that acted: from where a device was driven that training never
// saw driven from there, and from where training saw it driven; or, of a VM whose kernel is not
// that of training, how many of its places are known. Plain data, as all of an alert.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/code_place.h"

namespace iovm::detect {

struct CodeFinding {
  struct Place {
    model::CodePlace place;
    std::uint64_t rip = 0;     // of the first access
    std::uint64_t events = 0;  // in the window of the alarm
  };
  static constexpr std::size_t kMostPlaces = 8;
  static constexpr std::size_t kMostUsual = 3;

  std::vector<Place> strange;  // most frequent first, at most kMostPlaces
  std::uint64_t events = 0;    // in the window, from all of them
  // Training: accesses to that kind of device, from so many places, and the most frequent of these.
  std::uint64_t trained = 0;
  std::uint64_t trained_places = 0;
  std::vector<model::PlaceRow> usual;
  // Of another kernel, since the VM's boot: its places, and the devices that had an alarm.
  bool other_kernel = false;
  std::uint32_t seen_known = 0;
  std::uint32_t seen_strange = 0;
  std::uint32_t devices = 0;
};

// Training's side of a finding about that kind of device.
CodeFinding finding_about(const model::Places& places, const model::DeviceType& device);

// "12 accesses from module code at page offset 0x4bc (RIP 0xffffffffc0a1d4bc), never so in
// training; there 3012 accesses came from 41 places, most from kernel text at ...".
std::string describe(const CodeFinding& finding);

}  // namespace iovm::detect
