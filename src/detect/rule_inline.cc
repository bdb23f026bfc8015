// SPDX-License-Identifier: Apache-2.0
#include "detect/rule_inline.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "base/assert.h"
#include "base/format.h"
#include "base/text.h"
#include "detect/rule_match.h"
#include "model/device_table.h"

namespace iovm::detect {
namespace {

using model::DeviceRow;
using model::DeviceTable;
using model::DeviceType;
using model::RegisterRow;
using model::Space;
using trace::WriteMatch;

// What it lacks, if it lacks anything.
using Lack = std::optional<std::string>;

// An address that is meant, and of which sizes.
struct Place {
  Space space = Space::port;
  std::uint64_t address = 0;
  std::uint8_t size = 0;  // 0: any

  friend auto operator<=>(const Place&, const Place&) = default;
};
using Places = std::set<Place>;

// Whether a function of the PC's chip set puts this port elsewhere.
bool moves(const Place& place) {
  if (place.space != Space::port) return false;
  auto moves_it = [&](const model::Move& move) {
    return place.address >= move.to && place.address - move.to < move.size;
  };
  return std::ranges::any_of(DeviceTable::built_in().devices(), [&](const DeviceRow& row) {
    return std::ranges::any_of(row.moves, moves_it);
  });
}

Lack add(Places& places, const Place& place) {
  if (moves(place)) {
    return iovm::format("a register that never moves: the firmware chooses where 0x{:x} is",
                        place.address);
  }
  places.insert(place);
  if (places.size() <= kMaxInlineAddresses) return std::nullopt;
  return iovm::format("at most {} addresses", kMaxInlineAddresses);
}

// The registers of that name, of a device at fixed addresses.
Lack named(const DeviceType& device, const std::string& name, Places& places) {
  const DeviceRow* row = DeviceTable::built_in().find(device);
  if (row == nullptr) return "a device of the tables";
  for (const RegisterRow& r : row->registers) {
    if (!matches_name(name, r.name)) continue;
    if (r.behind_index || r.role == model::Role::toggle) {
      return iovm::format(
          "a register with an address of its own: \"{}\" is chosen by a write before", name);
    }
    for (std::uint64_t address = r.first; address <= r.last; ++address) {
      if (model::find_register(device, r.space, address, r.size).name != r.name) continue;
      if (auto lack = add(places, {r.space, address, r.size})) return lack;
    }
  }
  return std::nullopt;
}

// Registers by numbers: of these devices, if any are named.
Lack numbered(const AccessPattern& p, Places& places) {
  if (p.registers.any() || p.registers.negated) {
    return "a register, by its name or its numbers without not";
  }
  for (const Numbers::Item& item : p.registers.items) {
    if (item.mask != ~std::uint64_t{0}) return "registers without a mask";
    if (item.last - item.first >= kMaxInlineAddresses) {
      return iovm::format("at most {} addresses", kMaxInlineAddresses);
    }
    for (std::uint64_t i = 0; i <= item.last - item.first; ++i) {
      std::uint64_t address = item.first + i;
      DeviceType there = model::fixed_device(*p.space, address);
      if (!p.devices.empty() && std::ranges::count(p.devices, there) == 0) {
        return iovm::format("registers of the device: {} 0x{:x} is none", name_of(*p.space),
                            address);
      }
      if (auto lack = add(places, {*p.space, address, 0})) return lack;
    }
  }
  return std::nullopt;
}

Lack find_places(const AccessPattern& p, Places& places) {
  for (const DeviceType& device : p.devices) {
    if (device.bus == model::Bus::pci) {
      return "a device at a fixed address: a PCI function is where firmware and guest put it";
    }
    if (device.bus == model::Bus::none) {
      return "a device or an address: what is unassigned, the exit does not know";
    }
  }
  if (!p.register_name.empty()) {
    for (const DeviceType& device : p.devices) {
      if (auto lack = named(device, p.register_name, places)) return lack;
    }
    return places.empty() ? Lack("a register of the device") : std::nullopt;
  }
  if (!p.space) return "a register, by its name or its numbers";
  if (*p.space != Space::port && *p.space != Space::memory) {
    return iovm::format("port or memory, found {}: where that is changes with the guest",
                        name_of(*p.space));
  }
  return numbered(p, places);
}

// What only other events or the guest's code would tell.
Lack beyond_the_exit(const AccessPattern& p, const Places& places) {
  if (p.direction != trace::Direction::write) return "write: a read is answered, not stopped";
  if (p.code != 0 || p.stray) return "no from: whose code it is, the exit does not know";
  if (!p.index.any()) return "no index: what was selected before, the exit does not know";
  if (p.misaligned) return "no misaligned";
  for (const Place& place : places) {
    DeviceType device = model::fixed_device(place.space, place.address);
    auto role = model::find_register(device, place.space, place.address, place.size).role;
    if (p.command && role == model::Role::phased) {
      return "value in place of command: whether the device waits for one, the exit does not know";
    }
  }
  return std::nullopt;
}

Lack find_sizes(const Numbers& sizes, std::uint8_t& sum) {
  if (sizes.any()) return std::nullopt;
  for (unsigned size : {1U, 2U, 4U, 8U}) {
    if (sizes.has(size)) sum = static_cast<std::uint8_t>(sum | size);
  }
  return sum == 0 ? Lack("a size of 1, 2, 4 or 8") : std::nullopt;
}

Lack find_values(const Numbers& values, std::vector<WriteMatch>& tests) {
  if (values.negated && values.items.size() > 1) {
    return "one number, range or masked value after not";
  }
  if (values.any()) tests.emplace_back();
  for (const Numbers::Item& item : values.items) {
    WriteMatch test;
    test.mask = item.mask;
    test.first = item.first;
    test.last = item.last;
    test.negated = values.negated;
    tests.push_back(test);
  }
  return std::nullopt;
}

Lack add_pattern(const AccessPattern& p, std::vector<WriteMatch>& out) {
  Places places;
  std::uint8_t sizes = 0;
  std::vector<WriteMatch> tests;
  Lack lack = find_places(p, places);
  if (!lack) lack = beyond_the_exit(p, places);
  if (!lack) lack = find_sizes(p.sizes, sizes);
  if (!lack) lack = find_values(p.values, tests);
  if (lack) return lack;
  for (const Place& place : places) {
    // A register that there is in one size only is not meant by accesses of others.
    if (place.size != 0 && sizes != 0 && (sizes & place.size) == 0) continue;
    for (WriteMatch test : tests) {
      test.memory = place.space == Space::memory;
      test.address = place.address;
      test.sizes = place.size != 0 ? place.size : sizes;
      out.push_back(test);
    }
  }
  return std::nullopt;
}

Lack one_access(const Rule& rule) {
  if (rule.steps.size() != 1) return iovm::format("one step, found {}", rule.steps.size());
  const RuleStep& step = rule.steps.front();
  if (step.count != 1) return iovm::format("a step of one access, found {}", step.count);
  if (step.without != 0) return "no without: nothing comes before the first access";
  if (rule.unless_model) return "no unless model: a VM is stopped with a model or without one";
  return std::nullopt;
}

}  // namespace

std::variant<std::vector<WriteMatch>, std::string> inline_writes(const Rule& rule) {
  if (auto lack = one_access(rule)) return *std::move(lack);
  std::vector<WriteMatch> out;
  for (const AccessPattern& pattern : rule.patterns) {
    if (auto lack = add_pattern(pattern, out)) return *std::move(lack);
  }
  if (out.empty()) return "a write that there can be";
  return out;
}

std::vector<WriteMatch> inline_writes(const RuleSet& rules) {
  std::vector<WriteMatch> out;
  for (std::size_t i = 0; i < rules.rules.size(); ++i) {
    if (!rules.rules[i].stops) continue;
    auto writes = inline_writes(rules.rules[i]);
    IOVM_ASSERT(writes.index() == 0);  // the parser has looked
    for (WriteMatch& write : std::get<0>(writes)) {
      write.number = rules.number_of(i);
      out.push_back(write);
    }
  }
  return out;
}

}  // namespace iovm::detect
