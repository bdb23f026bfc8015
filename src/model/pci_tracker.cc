// SPDX-License-Identifier: Apache-2.0
#include "model/pci_tracker.h"

#include <algorithm>
#include <bit>
#include <tuple>
#include <utility>

#include "model/device_table.h"

namespace iovm::model {
namespace {

constexpr std::uint32_t kIdentityEnd = 4;
constexpr std::uint32_t kHeaderType = 0x0e;
constexpr std::uint32_t kFirstBar = 0x10;
constexpr std::uint32_t kLastBar = 0x27;
constexpr std::uint32_t kBusNumbers = 0x18;
constexpr std::uint32_t kFirstCapability = 0x40;
constexpr std::uint32_t kConfigBytes = 0x100;
constexpr std::uint8_t kBars = 6;
constexpr DeviceType kQ35HostBridge = {Bus::pci, 0x8086, 0x29c0};
constexpr std::uint32_t kPciExBar = 0x60;
// A BAR being moved over others may overlap them for a moment: look at a few.
constexpr int kOverlaps = 8;

bool is_write(const trace::Event& event) {
  return event.direction == trace::Direction::write;
}

// `old` with the bytes that the access has at `reg`.
std::uint32_t merged(std::uint32_t old, std::uint32_t reg, const trace::Event& event) {
  std::uint32_t shift = reg % 4 * 8;
  std::uint64_t bits = ((std::uint64_t{1} << event.size * 8) - 1) << shift;
  std::uint64_t value = (event.value << shift) & bits;
  return static_cast<std::uint32_t>((old & ~bits) | value);
}

}  // namespace

PciTracker::Function* PciTracker::function(std::uint32_t bdf) {
  if (last_ != nullptr && last_bdf_ == bdf) return last_;
  auto it = functions_.find(bdf);
  if (it == functions_.end()) return nullptr;
  last_ = &it->second;
  last_bdf_ = bdf;
  return last_;
}

std::span<const PciTracker::Addresses> PciTracker::config_access(std::uint32_t bdf,
                                                                 std::uint32_t reg,
                                                                 const trace::Event& event) {
  changed_.clear();
  if (!event.has(trace::Field::value) || event.count > 1) return {};
  if (event.size != 1 && event.size != 2 && event.size != 4) return {};
  bool write = is_write(event);
  if (reg < kIdentityEnd && !write) identity_read(bdf, reg, event);
  Function* f = function(bdf);
  if (f == nullptr) return changed_;
  if (reg == kHeaderType && !write) f->bridge = (event.value & 0x7f) == 1;
  if (reg >= kFirstBar && reg <= kLastBar) {
    std::size_t bar = (reg - kFirstBar) / 4;
    if (!f->bridge || bar <= 1) {
      bar_access(bdf, *f, reg, event);
    } else if (reg >= kBusNumbers && reg < kBusNumbers + 4 && write) {
      bus_numbers(*f, reg, event);
    }
  } else if (reg >= kFirstCapability && reg + event.size <= kConfigBytes) {
    if (!write) capability_read(bdf, *f, reg, event);
    moved_ports(bdf, *f, reg, event);
    if (reg == kPciExBar && write && f->type == kQ35HostBridge) ecam_access(event);
  }
  return changed_;
}

// Vendor and device number, in one access or two; a vendor of all ones is nobody.
void PciTracker::identity_read(std::uint32_t bdf, std::uint32_t reg, const trace::Event& event) {
  if (event.size < 2 || reg % 2 != 0) return;
  auto id = static_cast<std::uint32_t>(event.value);
  const Function* known = function(bdf);
  DeviceType type = known != nullptr ? known->type : DeviceType{Bus::pci, 0, 0};
  if (reg == 0) type.vendor = static_cast<std::uint16_t>(id);
  if (event.size == 4) type.number = static_cast<std::uint16_t>(id >> 16);
  if (reg == 2) type.number = static_cast<std::uint16_t>(id);
  if (known != nullptr && known->type == type) return;
  forget(bdf);
  if (type.vendor == 0xffff || type.vendor == 0) return;
  if (functions_.size() < kMaxFunctions) functions_[bdf].type = type;
}

void PciTracker::forget(std::uint32_t bdf) {
  if (functions_.erase(bdf) == 0) return;
  last_ = nullptr;
  for (const Range& range : ranges_) {
    if (range.bdf == bdf) changed_.push_back(range.at);
  }
  std::erase_if(ranges_, [bdf](const Range& range) { return range.bdf == bdf; });
}

// Other bus numbers: what was behind the bridge answers elsewhere now.
void PciTracker::bus_numbers(Function& f, std::uint32_t reg, const trace::Event& event) {
  std::uint32_t now = merged(f.buses, reg, event) & 0xffff00;
  std::uint32_t old = std::exchange(f.buses, now);
  std::uint32_t first = old >> 8 & 0xff, last = old >> 16 & 0xff;
  if (now == old || first == 0) return;
  std::vector<std::uint32_t> gone;
  for (const auto& [bdf, other] : functions_) {
    if ((bdf >> 8) >= first && (bdf >> 8) <= last) gone.push_back(bdf);
  }
  for (std::uint32_t bdf : gone) forget(bdf);
}

void PciTracker::bar_access(std::uint32_t bdf, Function& f, std::uint32_t reg,
                            const trace::Event& event) {
  std::size_t number = (reg - kFirstBar) / 4;
  Bar& bar = f.bars[number];
  std::uint32_t value = merged(bar.raw, reg, event);
  bool upper = number > 0 && f.bars[number - 1].is_64;
  if (is_write(event)) {
    bool ones = value == 0xffffffff || (!upper && (value | 0xf) == 0xffffffff);
    bar.sizing = event.size == 4 && ones;
    if (bar.sizing) return;
    bar.raw = upper ? value : (value & ~std::uint32_t{0xf}) | (bar.raw & 0xf);
  } else if (bar.sizing) {
    bar.mask = value;
    if (!upper) {
      bar.is_port = (value & 1) != 0;
      bar.is_64 = !bar.is_port && (value & 6) == 4 && number + 1 < kBars;
    }
  } else {
    bar.raw = value;
  }
  auto low = static_cast<std::uint8_t>(upper ? number - 1 : number);
  place(bdf, low, bar_addresses(f, low), 0);
}

std::optional<PciTracker::Addresses> PciTracker::bar_addresses(const Function& f,
                                                               std::size_t number) {
  const Bar& bar = f.bars[number];
  std::uint64_t base = bar.raw & (bar.is_port ? 0xfffc : 0xfffffff0);  // some have 16 bits only
  std::uint64_t mask = bar.mask & (bar.is_port ? 0xfffc : 0xfffffff0);
  if (bar.mask == 0) return std::nullopt;
  if (bar.is_64) {
    const Bar& upper = f.bars[number + 1];
    base |= static_cast<std::uint64_t>(upper.raw) << 32;
    mask |= static_cast<std::uint64_t>(upper.mask == 0 ? 0xffffffff : upper.mask) << 32;
  }
  if (mask == 0) return std::nullopt;
  std::uint64_t size = std::uint64_t{1} << std::countr_zero(mask);
  if (base == 0 || (base & (size - 1)) != 0) return std::nullopt;
  return Addresses{!bar.is_port, base, base + (size - 1)};
}

// Remembers what was read; where that completes a capability, it tells.
void PciTracker::capability_read(std::uint32_t bdf, Function& f, std::uint32_t reg,
                                 const trace::Event& event) {
  bool fresh = false;
  for (std::uint32_t i = 0; i < event.size; ++i) {
    auto byte = static_cast<std::uint8_t>(event.value >> (8 * i));
    fresh = fresh || !f.config_known[reg + i] || f.config[reg + i] != byte;
    f.config[reg + i] = byte;
    f.config_known[reg + i] = true;
  }
  if (!fresh) return;
  // The access may be any part of a capability that begins up to three words before it.
  for (std::uint32_t words = 0; words < 4; ++words) {
    std::uint32_t at = (reg & ~std::uint32_t{3}) - 4 * words;
    if (at < kFirstCapability || at + 16 > kConfigBytes || !f.config_known[at]) continue;
    if (f.config[at] == 0x09) virtio_structure(bdf, f, at);
    if (f.config[at] == 0x11) msix_structures(bdf, f, at);
  }
}

namespace {

std::uint32_t word_at(const std::array<std::uint8_t, 256>& bytes, std::uint32_t at) {
  std::uint32_t word = 0;
  for (std::uint32_t i = 0; i < 4; ++i) word |= std::uint32_t{bytes[at + i]} << (8 * i);
  return word;
}

bool all_known(const std::bitset<256>& known, std::uint32_t from, std::uint32_t bytes) {
  for (std::uint32_t i = 0; i < bytes; ++i) {
    if (!known[from + i]) return false;
  }
  return true;
}

}  // namespace

void PciTracker::virtio_structure(std::uint32_t bdf, Function& f, std::uint32_t at) {
  constexpr Space kTypes[] = {Space::common, Space::notify, Space::isr, Space::devcfg};
  if (f.type.vendor != 0x1af4 || !all_known(f.config_known, at + 3, 2)) return;
  if (!all_known(f.config_known, at + 8, 8)) return;
  std::uint8_t type = f.config[at + 3], bar = f.config[at + 4];
  if (type < 1 || type > 4 || bar >= kBars) return;
  add_structure(bdf, f,
                {kTypes[type - 1], bar, word_at(f.config, at + 8), word_at(f.config, at + 12)});
}

void PciTracker::msix_structures(std::uint32_t bdf, Function& f, std::uint32_t at) {
  if (!all_known(f.config_known, at + 2, 6)) return;
  std::uint64_t vectors = (word_at(f.config, at) >> 16 & 0x7ff) + 1;
  std::uint32_t table = word_at(f.config, at + 4), pending = word_at(f.config, at + 8);
  auto add = [&](Space space, std::uint32_t where, std::uint64_t length) {
    auto bar = static_cast<std::uint8_t>(where & 7);
    if (bar < kBars) add_structure(bdf, f, {space, bar, where & ~std::uint32_t{7}, length});
  };
  add(Space::msix, table, vectors * 16);
  if (all_known(f.config_known, at + 8, 4)) add(Space::pba, pending, (vectors + 63) / 64 * 8);
}

void PciTracker::add_structure(std::uint32_t bdf, Function& f, const Structure& structure) {
  if (structure.length == 0) return;
  auto known = std::ranges::find(f.structures, structure.space, &Structure::space);
  if (known != f.structures.end() && *known == structure) return;
  if (known == f.structures.end()) {
    f.structures.push_back(structure);
  } else {
    *known = structure;
  }
  for (const Range& range : ranges_) {
    if (range.bdf == bdf && range.slot < kBars) changed_.push_back(range.at);
  }
}

void PciTracker::moved_ports(std::uint32_t bdf, const Function& f, std::uint32_t reg,
                             const trace::Event& event) {
  const DeviceRow* row = DeviceTable::built_in().find(f.type);
  if (row == nullptr || event.size != 4) return;
  for (std::size_t i = 0; i < row->moves.size(); ++i) {
    const Move& move = row->moves[i];
    if (move.config_register != reg) continue;
    std::uint64_t base = event.value & move.mask;
    std::optional<Addresses> at;
    if (base != 0) at = Addresses{false, base, base + move.size - 1};
    place(bdf, static_cast<std::uint8_t>(kBars + i), at, move.to);
  }
}

void PciTracker::ecam_access(const trace::Event& event) {
  if (event.size != 4) return;
  if (ecam_base_ != 0) changed_.push_back({true, ecam_base_, ecam_base_ + (ecam_size_ - 1)});
  ecam_base_ = (event.value & 1) != 0 ? event.value & 0xf0000000 : 0;
  ecam_size_ = ecam_base_ == 0 ? 0 : std::uint64_t{256} << 20 >> (event.value >> 1 & 3);
  if (ecam_base_ != 0) changed_.push_back({true, ecam_base_, ecam_base_ + (ecam_size_ - 1)});
}

void PciTracker::place(std::uint32_t bdf, std::uint8_t slot, std::optional<Addresses> at,
                       std::uint64_t to) {
  auto known = std::ranges::find_if(
      ranges_, [&](const Range& range) { return range.bdf == bdf && range.slot == slot; });
  if (known != ranges_.end()) {
    bool same = at && known->at.memory == at->memory && known->at.first == at->first &&
                known->at.last == at->last;
    if (same) return;
    changed_.push_back(known->at);
    ranges_.erase(known);
  }
  if (!at) return;
  changed_.push_back(*at);
  Range range{*at, bdf, slot, ++placed_, to};
  auto before =
      std::ranges::upper_bound(ranges_, std::pair(at->memory, at->first), {},
                               [](const Range& r) { return std::pair(r.at.memory, r.at.first); });
  ranges_.insert(before, range);
}

std::optional<PciTracker::Hit> PciTracker::find(bool memory, std::uint64_t address) const {
  auto after =
      std::ranges::upper_bound(ranges_, std::pair(memory, address), {},
                               [](const Range& r) { return std::pair(r.at.memory, r.at.first); });
  const Range* found = nullptr;
  for (int looked = 0; after != ranges_.begin() && looked < kOverlaps; ++looked) {
    --after;
    if (after->at.memory != memory) break;
    if (address > after->at.last) continue;
    if (found == nullptr || after->order > found->order) found = &*after;
  }
  if (found == nullptr) return std::nullopt;
  std::uint64_t offset = address - found->at.first;
  if (found->slot >= kBars) {
    std::uint64_t port = found->to + offset;
    return Hit{fixed_device(Space::port, port), 0, Space::port, port, 0};
  }
  auto it = functions_.find(found->bdf);
  if (it == functions_.end()) return std::nullopt;
  const Function& f = it->second;
  for (const Structure& s : f.structures) {
    if (s.bar == found->slot && offset >= s.offset && offset - s.offset < s.length) {
      return Hit{f.type, found->bdf, s.space, offset - s.offset, 0};
    }
  }
  return Hit{f.type, found->bdf, static_cast<Space>(found->slot), offset,
             found->at.last - found->at.first + 1};
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
