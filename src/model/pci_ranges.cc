// SPDX-License-Identifier: Apache-2.0
#include "model/pci_ranges.h"

#include <algorithm>
#include <utility>

namespace iovm::model {
namespace {

// A BAR being moved over others may overlap them for a moment: look at a few.
constexpr int kOverlaps = 8;

}  // namespace

std::vector<PciRanges::Range>::const_iterator PciRanges::after(bool memory,
                                                               std::uint64_t address) const {
  return std::ranges::upper_bound(ranges_, std::pair(memory, address), {}, [](const Range& r) {
    return std::pair(r.at.memory, r.at.first);
  });
}

void PciRanges::place(std::uint32_t bdf, std::uint8_t slot, std::optional<Addresses> at,
                      std::uint64_t to, std::vector<Addresses>& changed) {
  auto known = std::ranges::find_if(
      ranges_, [&](const Range& range) { return range.bdf == bdf && range.slot == slot; });
  if (known != ranges_.end()) {
    if (at == known->at) return;
    changed.push_back(known->at);
    ranges_.erase(known);
  }
  if (!at) return;
  changed.push_back(*at);
  ranges_.insert(after(at->memory, at->first), {*at, bdf, slot, ++placed_, to});
}

void PciRanges::erase(std::uint32_t bdf, std::vector<Addresses>& changed) {
  for (const Range& range : ranges_) {
    if (range.bdf == bdf) changed.push_back(range.at);
  }
  std::erase_if(ranges_, [bdf](const Range& range) { return range.bdf == bdf; });
}

void PciRanges::touch(std::uint32_t bdf, std::uint8_t slots,
                      std::vector<Addresses>& changed) const {
  for (const Range& range : ranges_) {
    if (range.bdf == bdf && range.slot < slots) changed.push_back(range.at);
  }
}

const PciRanges::Range* PciRanges::find(bool memory, std::uint64_t address) const {
  auto next = after(memory, address);
  const Range* found = nullptr;
  for (int looked = 0; next != ranges_.begin() && looked < kOverlaps; ++looked) {
    --next;
    if (next->at.memory != memory) break;
    if (address > next->at.last) continue;
    if (found == nullptr || next->order > found->order) found = &*next;
  }
  return found;
}

}  // namespace iovm::model
