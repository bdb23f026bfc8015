// SPDX-License-Identifier: Apache-2.0
#include "detect/rule_match.h"

#include <algorithm>

#include "model/device_table.h"

namespace iovm::detect {
namespace {

using model::DeviceType;
using model::Mark;
using model::Operation;
using model::Space;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_device(const DeviceType& wanted, const DeviceType& type) {
  if (wanted.bus != type.bus) return false;
  if (wanted.bus != model::Bus::pci) return wanted == type;
  return (wanted.vendor == model::kAnyNumber || wanted.vendor == type.vendor) &&
         (wanted.number == model::kAnyNumber || wanted.number == type.number);
}

// The operation's register, and what is behind its index, by the tables' names.
bool is_named(const Operation& o, const model::Register& reg, std::string_view name) {
  if (matches_name(name, reg.name)) return true;
  if (!o.has(Mark::index) || o.space == Space::config) return false;
  // Index and value in one access, or by turns at one port: the data port is the next one.
  for (std::uint64_t next : {0U, 1U}) {
    if (matches_name(name, model::find_register(o.device, o.space, o.reg + next, 0, o.index).name))
      return true;
  }
  return false;
}

// A folded operation stands for all registers up to the next fold; a page is the largest.
bool is_register(const AccessPattern& p, const Operation& o) {
  if (p.space && *p.space != o.space) return false;
  if (p.registers.any()) return true;
  constexpr std::uint64_t kPage = 4096;
  bool folded = o.has(Mark::merged) && o.space != Space::config;
  return p.registers.meets(o.reg, folded ? o.reg + (kPage - 1) : o.reg);
}

}  // namespace

bool matches_name(std::string_view wanted, std::string_view name) {
  while (!wanted.empty()) {
    if (name.empty()) return false;
    if (wanted.front() == '#' && is_digit(name.front())) {
      while (!name.empty() && is_digit(name.front())) name.remove_prefix(1);
    } else if (wanted.front() == name.front()) {
      name.remove_prefix(1);
    } else {
      return false;
    }
    wanted.remove_prefix(1);
  }
  return name.empty();
}

bool can_be_on(const AccessPattern& p, const DeviceType& device) {
  return p.devices.empty() || std::ranges::any_of(p.devices, [&](const DeviceType& wanted) {
           return is_device(wanted, device);
         });
}

bool means_selected(const AccessPattern& p, const Operation& o, const model::Register& reg) {
  return !p.register_name.empty() && o.has(Mark::index) && o.space != Space::config &&
         reg.role == model::Role::index && !matches_name(p.register_name, reg.name);
}

bool can_match(const AccessPattern& p, const Operation& o, const model::Register& reg,
               model::CodeClass code) {
  if (p.direction && *p.direction != o.direction) return false;
  if (!p.has_code(code) || !is_register(p, o)) return false;
  if (!p.sizes.any() && !p.sizes.has(o.size)) return false;
  if (!p.index.any() && !(o.has(Mark::index) && p.index.has(o.index))) return false;
  if (!can_be_on(p, o.device)) return false;
  if (!p.register_name.empty() && !is_named(o, reg, p.register_name)) return false;
  // Where the whole value belongs to the symbol, it decides here.
  bool whole = reg.role == model::Role::command && reg.value_mask == ~std::uint64_t{0};
  if (whole && o.has(Mark::value) && !o.has(Mark::index) && !p.values.has(o.value)) return false;
  if (!p.command) return true;
  // Of a register that takes commands only at times, the tokenizer knows the times.
  bool phased = reg.role == model::Role::phased;
  return !phased || o.has(Mark::value) || o.has(Mark::repeated);
}

}  // namespace iovm::detect
