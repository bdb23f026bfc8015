// SPDX-License-Identifier: Apache-2.0
#include "model/pci_function.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "model/device_table.h"

namespace iovm::model {
namespace {

constexpr std::uint32_t kFirstBar = 0x10;
constexpr std::uint32_t kFirstCapability = 0x40;
constexpr std::uint32_t kConfigBytes = 0x100;
constexpr std::uint64_t kPortBits = 0xfffc;  // some have 16 bits only
constexpr std::uint64_t kMemoryBits = 0xfffffff0;
constexpr std::uint16_t kBridgeClass = 0x0604;  // PCI to PCI
constexpr std::uint32_t kPortFlag = 1;
constexpr std::uint32_t kWideFlag = 4;

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

// Whether a BAR can have that size and place; address 0 is nowhere.
bool is_possible(const trace::PciRegion& region) {
  if (region.bar >= kBars || !std::has_single_bit(region.size)) return false;
  if ((region.address & (region.size - 1)) != 0) return false;
  if (!region.memory) return region.size >= 4 && region.size <= 0x8000 && region.address <= 0xffff;
  if (region.size < 16) return false;
  if (region.wide) return region.bar + 1 < kBars;
  return region.size <= 0x80000000 && region.address <= 0xffffffff;
}

}  // namespace

PciFunction::PciFunction(const trace::PciFunction& told)
    : type{Bus::pci, told.vendor, told.device},
      bridge(told.class_code == kBridgeClass || told.secondary != 0) {
  buses_ = std::uint32_t{told.secondary} << 8 | std::uint32_t{told.subordinate} << 16;
  for (const trace::PciRegion& region : told.regions) {
    if (is_possible(region)) know_bar(region);
  }
  assume_structures();
}

// As if the guest had sized and placed it.
void PciFunction::know_bar(const trace::PciRegion& region) {
  std::uint64_t mask = ~(region.size - 1);
  std::uint32_t flags = !region.memory ? kPortFlag : region.wide ? kWideFlag : 0;
  Bar& bar = bars_[region.bar];
  bar.is_port = !region.memory;
  bar.is_64 = region.memory && region.wide;
  bar.raw = static_cast<std::uint32_t>(region.address) | flags;
  bar.mask = static_cast<std::uint32_t>(mask) | flags;
  if (!bar.is_64) return;
  bars_[region.bar + 1U].raw = static_cast<std::uint32_t>(region.address >> 32);
  bars_[region.bar + 1U].mask = static_cast<std::uint32_t>(mask >> 32);
}

// What the tables say of functions whose capabilities nobody saw being read.
void PciFunction::assume_structures() {
  for (const DeviceType& row_type : {DeviceType{Bus::pci, type.vendor, kAnyNumber}, type}) {
    const DeviceRow* row = DeviceTable::built_in().find(row_type);
    if (row == nullptr) continue;
    for (const Part& part : row->parts) {
      const Bar& bar = bars_[part.bar];
      std::uint64_t mask = bar.mask & kMemoryBits;
      bool fits =
          !bar.is_port && bar.mask != 0 &&
          (mask == 0 || std::uint64_t{1} << std::countr_zero(mask) >= part.offset + part.length);
      if (fits) add_structure({part.space, part.bar, part.offset, part.length});
    }
  }
}

std::optional<std::uint8_t> PciFunction::bar_access(std::uint32_t reg, const trace::Event& event) {
  std::size_t number = (reg - kFirstBar) / 4;
  Bar& bar = bars_[number];
  std::uint32_t value = merged(bar.raw, reg, event);
  bool upper = number > 0 && bars_[number - 1].is_64;
  if (is_write(event)) {
    bool ones = value == 0xffffffff || (!upper && (value | 0xf) == 0xffffffff);
    bar.sizing = event.size == 4 && ones;
    if (bar.sizing) return std::nullopt;
    bar.raw = upper ? value : (value & ~std::uint32_t{0xf}) | (bar.raw & 0xf);
  } else if (bar.sizing) {
    bar.mask = value;
    if (!upper) {
      bar.is_port = (value & kPortFlag) != 0;
      bar.is_64 = !bar.is_port && (value & 6) == kWideFlag && number + 1 < kBars;
    }
  } else {
    bar.raw = value;
  }
  return static_cast<std::uint8_t>(upper ? number - 1 : number);
}

std::optional<std::uint64_t> PciFunction::bar_size(std::size_t number) const {
  const Bar& bar = bars_[number];
  std::uint64_t mask = bar.mask & (bar.is_port ? kPortBits : kMemoryBits);
  bool upper = number > 0 && bars_[number - 1].is_64;
  if (bar.mask == 0 || upper) return std::nullopt;
  if (bar.is_64) {
    std::uint32_t high = bars_[number + 1].mask;
    mask |= static_cast<std::uint64_t>(high == 0 ? 0xffffffff : high) << 32;
  }
  if (mask == 0) return std::nullopt;
  return std::uint64_t{1} << std::countr_zero(mask);
}

std::optional<Addresses> PciFunction::bar_addresses(std::size_t number) const {
  auto size = bar_size(number);
  if (!size) return std::nullopt;
  const Bar& bar = bars_[number];
  std::uint64_t base = bar.raw & (bar.is_port ? kPortBits : kMemoryBits);
  if (bar.is_64) base |= static_cast<std::uint64_t>(bars_[number + 1].raw) << 32;
  if (base == 0 || (base & (*size - 1)) != 0) return std::nullopt;
  return Addresses{!bar.is_port, base, base + (*size - 1)};
}

trace::PciFunction PciFunction::layout(std::uint16_t place, const trace::PciFunction* told) const {
  trace::PciFunction before;
  if (told != nullptr && told->vendor == type.vendor && told->device == type.number) before = *told;
  trace::PciFunction now = before;
  now.place = place;
  now.vendor = type.vendor;
  now.device = type.number;
  if (bridge) {
    now.class_code = kBridgeClass;
    now.secondary = static_cast<std::uint8_t>(buses_ >> 8);
    now.subordinate = static_cast<std::uint8_t>(buses_ >> 16);
  }
  now.regions.clear();
  for (std::uint8_t number = 0; number <= trace::kRomRegion; ++number) {
    auto known = std::ranges::find(before.regions, number, &trace::PciRegion::bar);
    auto region = number < kBars ? bar_region(number) : std::nullopt;
    if (region) {
      now.regions.push_back(*region);
    } else if (known != before.regions.end()) {
      now.regions.push_back(*known);
    }
  }
  return now;
}

// A BAR as somebody may be told it: nothing where its size is not known.
std::optional<trace::PciRegion> PciFunction::bar_region(std::uint8_t number) const {
  auto size = bar_size(number);
  if (!size) return std::nullopt;
  auto at = bar_addresses(number);
  const Bar& bar = bars_[number];
  return trace::PciRegion{number, !bar.is_port, bar.is_64, at ? at->first : 0, *size};
}

std::optional<PciFunction::Buses> PciFunction::bus_numbers(std::uint32_t reg,
                                                           const trace::Event& event) {
  std::uint32_t now = merged(buses_, reg, event) & 0xffff00;
  std::uint32_t old = std::exchange(buses_, now);
  Buses gone{old >> 8 & 0xff, old >> 16 & 0xff};
  if (now == old || gone.first == 0) return std::nullopt;
  return gone;
}

// Remembers what was read; where that completes a capability, it tells.
bool PciFunction::capability_read(std::uint32_t reg, const trace::Event& event) {
  bool fresh = false;
  for (std::uint32_t i = 0; i < event.size; ++i) {
    auto byte = static_cast<std::uint8_t>(event.value >> (8 * i));
    fresh = fresh || !config_known_[reg + i] || config_[reg + i] != byte;
    config_[reg + i] = byte;
    config_known_[reg + i] = true;
  }
  if (!fresh) return false;
  bool told = false;
  // The access may be any part of a capability that begins up to three words before it.
  for (std::uint32_t words = 0; words < 4; ++words) {
    std::uint32_t at = (reg & ~std::uint32_t{3}) - 4 * words;
    if (at < kFirstCapability || at + 16 > kConfigBytes || !config_known_[at]) continue;
    if (config_[at] == 0x09) told = virtio_structure(at) || told;
    if (config_[at] == 0x11) told = msix_structures(at) || told;
  }
  return told;
}

bool PciFunction::virtio_structure(std::uint32_t at) {
  constexpr Space kTypes[] = {Space::common, Space::notify, Space::isr, Space::devcfg};
  if (type.vendor != 0x1af4 || !all_known(config_known_, at + 3, 2)) return false;
  if (!all_known(config_known_, at + 8, 8)) return false;
  std::uint8_t kind = config_[at + 3], bar = config_[at + 4];
  if (kind < 1 || kind > 4 || bar >= kBars) return false;
  return add_structure(
      {kTypes[kind - 1], bar, word_at(config_, at + 8), word_at(config_, at + 12)});
}

bool PciFunction::msix_structures(std::uint32_t at) {
  if (!all_known(config_known_, at + 2, 6)) return false;
  std::uint64_t vectors = (word_at(config_, at) >> 16 & 0x7ff) + 1;
  std::uint32_t table = word_at(config_, at + 4), pending = word_at(config_, at + 8);
  auto add = [&](Space space, std::uint32_t where, std::uint64_t length) {
    auto bar = static_cast<std::uint8_t>(where & 7);
    return bar < kBars && add_structure({space, bar, where & ~std::uint32_t{7}, length});
  };
  bool told = add(Space::msix, table, vectors * 16);
  if (!all_known(config_known_, at + 8, 4)) return told;
  return add(Space::pba, pending, (vectors + 63) / 64 * 8) || told;
}

bool PciFunction::add_structure(const Structure& structure) {
  if (structure.length == 0) return false;
  auto known = std::ranges::find(structures_, structure.space, &Structure::space);
  if (known == structures_.end()) {
    structures_.push_back(structure);
    return true;
  }
  if (*known == structure) return false;
  *known = structure;
  return true;
}

}  // namespace iovm::model
