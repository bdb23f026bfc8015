// SPDX-License-Identifier: Apache-2.0
#include "model/code_place.h"

#include <algorithm>
#include <span>

#include "base/format.h"

namespace iovm::model {
namespace {

std::span<const PlaceRow> of_device(const Places& places, const DeviceType& device) {
  auto first = std::ranges::lower_bound(places, device, {}, &PlaceRow::device);
  auto last = std::ranges::upper_bound(places, device, {}, &PlaceRow::device);
  return {first, last};
}

}  // namespace

std::optional<CodePlace> place_of(CodeClass code, std::uint64_t rip) {
  if (code == CodeClass::kernel)
    return CodePlace{code, static_cast<std::uint32_t>(rip % kTextStep)};
  if (code == CodeClass::module || code == CodeClass::other) {
    return CodePlace{code, static_cast<std::uint32_t>(rip % kCodePage)};
  }
  return std::nullopt;
}

std::string describe(const CodePlace& place) {
  if (place.code == CodeClass::kernel) {
    return iovm::format("kernel text at offset 0x{:x} of 2 MiB", place.offset);
  }
  return iovm::format(
      "{} at page offset 0x{:x}",
      place.code == CodeClass::module ? "module code" : "code outside kernel text and modules",
      place.offset);
}

Places merged(const Places& a, const Places& b) {
  Places all, out;
  std::ranges::merge(a, b, std::back_inserter(all));
  for (const PlaceRow& row : all) {
    bool same = !out.empty() && out.back().device == row.device && out.back().place == row.place;
    if (same) {
      out.back().count += row.count;
    } else {
      out.push_back(row);
    }
  }
  return out;
}

bool contains(const Places& places, const DeviceType& device, const CodePlace& place) {
  return std::ranges::binary_search(of_device(places, device), place, {}, &PlaceRow::place);
}

std::vector<PlaceRow> places_of(const Places& places, const DeviceType& device) {
  auto rows = of_device(places, device);
  return {rows.begin(), rows.end()};
}

bool knows(const Places& places, const DeviceType& device) {
  return !of_device(places, device).empty();
}

bool tells_the_kernel(const Places& places, CodeClass code) {
  if (code == CodeClass::kernel) return true;
  return std::ranges::find(places, CodeClass::kernel,
                           [](const PlaceRow& row) { return row.place.code; }) == places.end();
}

}  // namespace iovm::model
