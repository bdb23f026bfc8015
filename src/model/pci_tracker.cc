// SPDX-License-Identifier: Apache-2.0
#include "model/pci_tracker.h"

#include <algorithm>
#include <bit>
#include <tuple>
#include <utility>

namespace iovm::model {
namespace {

constexpr std::uint32_t kIdentity = 0x00;
constexpr std::uint32_t kHeaderType = 0x0e;
constexpr std::uint32_t kFirstBar = 0x10;
constexpr std::uint32_t kLastBar = 0x27;
constexpr DeviceType kQ35HostBridge = {Bus::pci, 0x8086, 0x29c0};
constexpr std::uint32_t kPciExBar = 0x60;

// The size that a 32-bit BAR mask stands for; 0 if it is none.
std::uint64_t size_of(std::uint32_t mask, bool is_port) {
  if (is_port) {
    std::uint32_t bits = mask & 0xfffc;  // some devices decode 16 bits only
    if (bits == 0) return 0;
    return std::uint64_t{1} << std::countr_zero(bits);
  }
  std::uint32_t bits = mask & 0xfffffff0;
  if (bits == 0) return 0;
  return std::uint64_t{1} << std::countr_zero(bits);
}

}  // namespace

PciTracker::Function* PciTracker::function(std::uint32_t bdf) {
  auto it = functions_.find(bdf);
  return it == functions_.end() ? nullptr : &it->second;
}

bool PciTracker::config_access(std::uint32_t bdf, std::uint32_t reg, const trace::Event& event) {
  if (!event.has(trace::Field::value) || event.count > 1) return false;
  bool write = event.direction == trace::Direction::write;
  if (reg == kIdentity && !write) return identity_read(bdf, event);
  Function* f = function(bdf);
  if (f == nullptr) return false;
  if (reg == kHeaderType && !write) {
    f->bridge = (event.value & 0x7f) == 1;
    return false;
  }
  if (reg >= kFirstBar && reg <= kLastBar && reg % 4 == 0 && event.size == 4) {
    std::size_t bar = (reg - kFirstBar) / 4;
    if (f->bridge && bar > 1) return false;
    if (!bar_access(*f, bar, event)) return false;
    stale_ = true;
    return true;
  }
  if (reg == kPciExBar && write && f->type == kQ35HostBridge && event.size == 4) {
    ecam_base_ = (event.value & 1) != 0 ? event.value & 0xf0000000 : 0;
    ecam_size_ = ecam_base_ == 0 ? 0 : std::uint64_t{256} << 20 >> (event.value >> 1 & 3);
    return true;
  }
  return false;
}

// Vendor and device number; firmware often reads the vendor alone first, which tells nothing yet.
bool PciTracker::identity_read(std::uint32_t bdf, const trace::Event& event) {
  auto id = static_cast<std::uint32_t>(event.value);
  if (event.size != 4 || (id & 0xffff) == 0xffff || (id & 0xffff) == 0) return false;
  DeviceType type{Bus::pci, static_cast<std::uint16_t>(id & 0xffff),
                  static_cast<std::uint16_t>(id >> 16)};
  Function* known = function(bdf);
  if (known != nullptr && known->type == type) return false;
  if (known == nullptr && functions_.size() >= kMaxFunctions) return false;
  functions_[bdf] = Function{.type = type};
  stale_ = true;
  return true;
}

// True if the ranges may have changed.
bool PciTracker::bar_access(Function& f, std::size_t number, const trace::Event& event) {
  Bar& bar = f.bars[number];
  auto value = static_cast<std::uint32_t>(event.value);
  bool upper = number > 0 && f.bars[number - 1].is_64;
  if (event.direction == trace::Direction::write) {
    bar.sizing = value == 0xffffffff || (!upper && (value | 0xf) == 0xffffffff);
    if (bar.sizing || bar.raw == value) return false;
    bar.raw = upper ? value : (value & ~std::uint32_t{0xf}) | (bar.raw & 0xf);
    return true;
  }
  if (bar.sizing) {
    bool changed = bar.mask != value;
    bar.mask = value;
    if (!upper) {
      bar.is_port = (value & 1) != 0;
      bar.is_64 = !bar.is_port && (value & 6) == 4 && number < 5;
    }
    return changed;
  }
  if (bar.raw == value) return false;
  bar.raw = value;
  return true;
}

void PciTracker::rebuild() {
  stale_ = false;
  ranges_.clear();
  for (const auto& [bdf, f] : functions_) {
    for (std::size_t bar = 0; bar < f.bars.size(); ++bar) {
      add_range(bdf, f, bar);
      if (f.bars[bar].is_64) ++bar;
    }
  }
  std::sort(ranges_.begin(), ranges_.end(), [](const Range& a, const Range& b) {
    return std::tie(a.memory, a.first, a.bdf, a.bar) < std::tie(b.memory, b.first, b.bdf, b.bar);
  });
}

void PciTracker::add_range(std::uint32_t bdf, const Function& f, std::size_t number) {
  const Bar& bar = f.bars[number];
  std::uint64_t size = size_of(bar.mask, bar.is_port);
  if (size == 0) return;
  std::uint64_t base = bar.is_port ? bar.raw & 0xfffc : bar.raw & 0xfffffff0;
  if (bar.is_64) base |= static_cast<std::uint64_t>(f.bars[number + 1].raw) << 32;
  if (base == 0 || (base & (size - 1)) != 0) return;
  ranges_.push_back(
      {base, base + (size - 1), bdf, static_cast<std::uint8_t>(number), !bar.is_port});
}

std::optional<PciTracker::Hit> PciTracker::find(bool memory, std::uint64_t address) {
  if (stale_) rebuild();
  auto after = std::upper_bound(ranges_.begin(), ranges_.end(), std::pair(memory, address),
                                [](const std::pair<bool, std::uint64_t>& key, const Range& r) {
                                  return key < std::pair(r.memory, r.first);
                                });
  // A BAR being moved over others may overlap them for a moment: look at a few before it.
  for (int looked = 0; after != ranges_.begin() && looked < 8; ++looked) {
    --after;
    if (after->memory != memory) break;
    if (address > after->last) continue;
    auto it = functions_.find(after->bdf);
    if (it == functions_.end()) break;
    return Hit{it->second.type, after->bdf, static_cast<Space>(after->bar), address - after->first,
               after->last - after->first + 1};
  }
  return std::nullopt;
}

std::optional<PciTracker::ConfigPlace> PciTracker::find_ecam(std::uint64_t address) const {
  if (ecam_base_ == 0 || address < ecam_base_ || address - ecam_base_ >= ecam_size_) {
    return std::nullopt;
  }
  std::uint64_t offset = address - ecam_base_;
  return ConfigPlace{static_cast<std::uint32_t>(offset >> 12),
                     static_cast<std::uint32_t>(offset & 0xfff)};
}

}  // namespace iovm::model
