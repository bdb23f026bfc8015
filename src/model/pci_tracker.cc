// SPDX-License-Identifier: Apache-2.0
#include "model/pci_tracker.h"

#include <map>

#include "model/device_table.h"

namespace iovm::model {
namespace {

constexpr std::uint32_t kHeaderType = 0x0e;
constexpr std::uint32_t kFirstBar = 0x10;
constexpr std::uint32_t kLastBar = 0x27;
constexpr std::uint32_t kBusNumbers = 0x18;
constexpr std::uint32_t kFirstCapability = 0x40;
constexpr std::uint32_t kConfigBytes = 0x100;
constexpr std::uint16_t kNobody = 0xffff;  // as vendor; 0 is none either
constexpr DeviceType kQ35HostBridge = {Bus::pci, 0x8086, 0x29c0};
constexpr std::uint32_t kPciExBar = 0x60;

bool is_write(const trace::Event& event) {
  return event.direction == trace::Direction::write;
}

}  // namespace

template <typename Told>
PciFunction* PciTracker::Functions::add(std::uint32_t bdf, const Told& told) {
  if (count_ >= kMaxFunctions || find(bdf) != nullptr) return nullptr;
  std::unique_ptr<Bus>& bus = buses_[bdf >> 8 & 0xff];
  if (bus == nullptr) bus = std::make_unique<Bus>();
  ++count_;
  ++bus->count;
  std::unique_ptr<PciFunction>& place = bus->functions[bdf & 0xff];
  place = std::make_unique<PciFunction>(told);
  return place.get();
}

bool PciTracker::Functions::erase(std::uint32_t bdf) {
  if (find(bdf) == nullptr) return false;
  std::unique_ptr<Bus>& bus = buses_[bdf >> 8 & 0xff];
  bus->functions[bdf & 0xff].reset();
  --count_;
  if (--bus->count == 0) bus.reset();
  return true;
}

std::vector<std::uint32_t> PciTracker::Functions::on(PciFunction::Buses buses) const {
  std::vector<std::uint32_t> out;
  for (std::uint32_t bus = buses.first; bus <= buses.last && bus < buses_.size(); ++bus) {
    if (buses_[bus] == nullptr) continue;
    for (std::uint32_t place = 0; place < buses_[bus]->functions.size(); ++place) {
      if (buses_[bus]->functions[place] != nullptr) out.push_back(bus << 8 | place);
    }
  }
  return out;
}

std::span<const Addresses> PciTracker::know(const trace::PciLayout& layout) {
  changed_.clear();
  for (const trace::PciFunction& told : layout.functions) {
    if (told.vendor == 0 || told.vendor == kNobody) continue;
    const PciFunction* added = functions_.add(told.place, told);
    if (added == nullptr) continue;
    for (std::uint8_t bar = 0; bar < kBars; ++bar) place_bar(told.place, *added, bar);
  }
  return changed_;
}

trace::PciLayout PciTracker::layout(const trace::PciLayout& told) const {
  std::map<std::uint32_t, const PciFunction*> now;
  for (std::uint32_t bdf : functions_.on({0, 0xff})) now.emplace(bdf, functions_.find(bdf));
  trace::PciLayout layout{told.from, {}};
  for (const trace::PciFunction& before : told.functions) {
    auto known = now.find(before.place);
    if (known == now.end()) continue;
    layout.functions.push_back(known->second->layout(before.place, &before));
    now.erase(known);
  }
  for (const auto& [bdf, function] : now)
    layout.functions.push_back(function->layout(static_cast<std::uint16_t>(bdf), nullptr));
  if (layout.functions != told.functions)
    layout.from += told.from.empty() ? "traffic" : ", traffic";
  return layout;
}

std::span<const Addresses> PciTracker::learn(std::uint32_t bdf, PciFunction* f, std::uint32_t reg,
                                             const trace::Event& event) {
  changed_.clear();
  if (!event.has(trace::Field::value) || event.count > 1) return {};
  if (event.size != 1 && event.size != 2 && event.size != 4) return {};
  bool write = is_write(event);
  if (reg < kIdentityEnd && !write) f = identity_read(bdf, f, reg, event);
  if (f == nullptr) return changed_;
  if (reg == kHeaderType && !write) f->bridge = (event.value & 0x7f) == 1;
  if (reg >= kFirstBar && reg <= kLastBar) {
    std::size_t bar = (reg - kFirstBar) / 4;
    if (!f->bridge || bar <= 1) {
      if (auto moved = f->bar_access(reg, event)) place_bar(bdf, *f, *moved);
    } else if (reg >= kBusNumbers && reg < kBusNumbers + 4 && write) {
      if (auto gone = f->bus_numbers(reg, event)) forget_buses(*gone);
    }
  } else if (reg >= kFirstCapability && reg + event.size <= kConfigBytes) {
    if (!write && f->capability_read(reg, event)) ranges_.touch(bdf, kBars, changed_);
    moved_ports(bdf, *f, reg, event);
    if (reg == kPciExBar && write && f->type == kQ35HostBridge) ecam_access(event);
  }
  return changed_;
}

// Vendor and device number, in one access or two. The function that is there now.
PciFunction* PciTracker::identity_read(std::uint32_t bdf, PciFunction* known, std::uint32_t reg,
                                       const trace::Event& event) {
  if (event.size < 2 || reg % 2 != 0) return known;
  auto id = static_cast<std::uint32_t>(event.value);
  DeviceType type = known != nullptr ? known->type : DeviceType{Bus::pci, 0, 0};
  if (reg == 0) type.vendor = static_cast<std::uint16_t>(id);
  if (event.size == 4) type.number = static_cast<std::uint16_t>(id >> 16);
  if (reg == 2) type.number = static_cast<std::uint16_t>(id);
  if (known != nullptr && known->type == type) return known;
  if (known != nullptr) forget(bdf);
  return type.vendor == kNobody || type.vendor == 0 ? nullptr : functions_.add(bdf, type);
}

void PciTracker::forget(std::uint32_t bdf) {
  if (!functions_.erase(bdf)) return;
  ranges_.erase(bdf, changed_);
}

// Other bus numbers: what was behind the bridge answers elsewhere now.
void PciTracker::forget_buses(PciFunction::Buses buses) {
  for (std::uint32_t bdf : functions_.on(buses)) forget(bdf);
}

void PciTracker::place_bar(std::uint32_t bdf, const PciFunction& f, std::uint8_t bar) {
  ranges_.place(bdf, bar, f.bar_addresses(bar), 0, changed_);
}

void PciTracker::moved_ports(std::uint32_t bdf, const PciFunction& f, std::uint32_t reg,
                             const trace::Event& event) {
  if (event.size != 4) return;
  const DeviceRow* row = DeviceTable::built_in().find(f.type);
  if (row == nullptr) return;
  for (std::size_t i = 0; i < row->moves.size(); ++i) {
    const Move& move = row->moves[i];
    if (move.config_register != reg) continue;
    std::uint64_t base = event.value & move.mask;
    std::optional<Addresses> at;
    if (base != 0) at = Addresses{false, base, base + move.size - 1};
    ranges_.place(bdf, static_cast<std::uint8_t>(kBars + i), at, move.to, changed_);
  }
}

void PciTracker::ecam_access(const trace::Event& event) {
  if (event.size != 4) return;
  if (ecam_base_ != 0) changed_.push_back({true, ecam_base_, ecam_base_ + (ecam_size_ - 1)});
  ecam_base_ = (event.value & 1) != 0 ? event.value & 0xf0000000 : 0;
  ecam_size_ = ecam_base_ == 0 ? 0 : std::uint64_t{256} << 20 >> (event.value >> 1 & 3);
  if (ecam_base_ != 0) changed_.push_back({true, ecam_base_, ecam_base_ + (ecam_size_ - 1)});
}

std::optional<PciTracker::Hit> PciTracker::find(bool memory, std::uint64_t address) const {
  const PciRanges::Range* found = ranges_.find(memory, address);
  if (found == nullptr) return std::nullopt;
  std::uint64_t offset = address - found->at.first;
  if (found->slot >= kBars) {
    std::uint64_t port = found->to + offset;
    return Hit{fixed_device(Space::port, port), 0, Space::port, port, 0};
  }
  const PciFunction* function = functions_.find(found->bdf);
  if (function == nullptr) return std::nullopt;
  const PciFunction& f = *function;
  for (const PciFunction::Structure& s : f.structures()) {
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
