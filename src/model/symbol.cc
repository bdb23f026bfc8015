// SPDX-License-Identifier: Apache-2.0
#include "model/symbol.h"

#include "base/format.h"

namespace iovm::model {
namespace {

std::uint64_t mix(std::uint64_t h) {
  h ^= h >> 32;
  h *= 0x9e3779b97f4a7c15;
  h ^= h >> 29;
  return h;
}

std::size_t hash_of(const Operation& o) {
  std::uint64_t what = static_cast<std::uint64_t>(o.device.bus) << 48 |
                       static_cast<std::uint64_t>(o.device.vendor) << 32 |
                       static_cast<std::uint64_t>(o.device.number) << 16 |
                       static_cast<std::uint64_t>(o.space) << 8 | o.size;
  std::uint64_t how = static_cast<std::uint64_t>(o.index) << 32 |
                      static_cast<std::uint64_t>(o.direction) << 8 | o.marks;
  return mix(mix(mix(mix(what) ^ how) ^ o.reg) ^ o.value);
}

std::string place_of(const Operation& o) {
  switch (o.space) {
    case Space::port:
    case Space::memory:
      return iovm::format("0x{:x}", o.reg);
    case Space::config:
      return iovm::format("register 0x{:x}", o.reg);
    default:
      break;
  }
  if (o.space <= Space::bar5) {
    return iovm::format("BAR {} + 0x{:x}", static_cast<int>(o.space), o.reg);
  }
  return iovm::format("{} + 0x{:x}", name_of(o.space), o.reg);
}

// What the tables call it; with the register behind the index, where that has a name.
std::string known_name(const Operation& o) {
  if (o.has(Mark::index) && o.space != Space::config) {
    // Index and value in one access, or by turns at one port: the data port is the next one.
    for (std::uint64_t next : {0U, 1U}) {
      Register behind = find_register(o.device, o.space, o.reg + next, 0, o.index);
      if (behind.listed()) return std::string(behind.name);
    }
  }
  return std::string(find_register(o.device, o.space, o.reg, o.size).name);
}

std::string which_function(std::uint32_t bdf) {
  return bdf == kAnyFunction ? "any function" : function_text(bdf);
}

}  // namespace

std::string describe_register(const Operation& o) {
  std::string known = known_name(o), place = place_of(o);
  std::string text = known.empty() ? (o.space == Space::port     ? "port " + place
                                      : o.space == Space::memory ? "address " + place
                                                                 : place)
                                   : iovm::format("{} ({})", known, place);
  if (!o.has(Mark::index)) return text;
  if (o.space == Space::config) return which_function(o.index) + " " + text;
  return iovm::format("{}, index 0x{:02x}", text, o.index);
}

Operation access_of(Operation o) {
  constexpr auto kDetails = static_cast<unsigned>(Mark::value) | static_cast<unsigned>(Mark::index);
  o.marks = static_cast<std::uint8_t>(o.marks & ~kDetails);
  o.value = 0;
  o.index = 0;
  return o;
}

std::string describe(const Operation& o) {
  bool write = o.direction == trace::Direction::write;
  std::string text = device_name(o.device) + ": ";
  if (o.has(Mark::doorbell)) {
    text += "ring doorbell ";
  } else if (o.has(Mark::value)) {
    text += iovm::format("{} 0x{:x} {} ", write ? "write" : "read", o.value, write ? "to" : "from");
  } else {
    text += write ? "write to " : "read ";
  }
  text += describe_register(o);
  if (o.size > 1) text += iovm::format(", {} bytes", o.size);
  if (o.has(Mark::repeated)) text += ", repeated";
  if (o.has(Mark::user)) text += ", from user space";
  return text;
}

std::string short_name(const Operation& o) {
  std::string text = device_key(o.device) + ":";
  switch (o.space) {
    case Space::port:
    case Space::memory:
      break;
    case Space::config:
      text += "cfg+";
      break;
    default:
      text += iovm::format("{}+", name_of(o.space));
  }
  text += iovm::format("{:x}", o.reg);
  if (o.has(Mark::index)) {
    text += o.space == Space::config ? iovm::format("[{}]", which_function(o.index))
                                     : iovm::format("[{:x}]", o.index);
  }
  text += iovm::format(":{}{}", o.direction == trace::Direction::write ? 'w' : 'r', o.size);
  if (o.has(Mark::value)) text += iovm::format("={:x}", o.value);
  if (o.has(Mark::repeated)) text += "*";
  if (o.has(Mark::doorbell)) text += "!";
  if (o.has(Mark::user)) text += "@user";
  return text;
}

Alphabet::Alphabet() : operations_(kFirstSymbol), slots_(1024) {}

Symbol Alphabet::intern(const Operation& operation) {
  std::size_t mask = slots_.size() - 1;
  std::size_t at = hash_of(operation) & mask;
  for (; slots_[at] != 0; at = (at + 1) & mask) {
    if (operations_[slots_[at]] == operation) return slots_[at];
  }
  if (operations_.size() >= kMaxSymbols) return kOverflow;
  auto symbol = static_cast<Symbol>(operations_.size());
  operations_.push_back(operation);
  slots_[at] = symbol;
  if (operations_.size() * 2 > slots_.size()) grow();
  return symbol;
}

std::optional<Symbol> Alphabet::find(const Operation& operation) const {
  std::size_t mask = slots_.size() - 1;
  for (std::size_t at = hash_of(operation) & mask; slots_[at] != 0; at = (at + 1) & mask) {
    if (operations_[slots_[at]] == operation) return slots_[at];
  }
  return std::nullopt;
}

void Alphabet::grow() {
  slots_.assign(slots_.size() * 2, 0);
  std::size_t mask = slots_.size() - 1;
  for (Symbol symbol = kFirstSymbol; symbol < operations_.size(); ++symbol) {
    std::size_t at = hash_of(operations_[symbol]) & mask;
    while (slots_[at] != 0) at = (at + 1) & mask;
    slots_[at] = symbol;
  }
}

}  // namespace iovm::model
