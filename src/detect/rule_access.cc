// SPDX-License-Identifier: Apache-2.0
#include "detect/rule_access.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/format.h"
#include "base/text.h"
#include "detect/rule_match.h"
#include "model/device_table.h"

namespace iovm::detect {
namespace {

using model::CodeClass;
using model::DeviceRow;
using model::DeviceTable;
using model::DeviceType;
using model::Space;

constexpr std::size_t kMaxItems = 64;
constexpr std::size_t kMaxDevices = 32;
constexpr std::string_view kItem = "a number, a range (1-5) or a masked value (0x05/0x1f)";

std::optional<Numbers::Item> item(std::string_view text) {
  std::size_t cut = text.find_first_of("-/");
  auto first = parse_unsigned(text.substr(0, cut));
  if (!first) return std::nullopt;
  if (cut == std::string_view::npos) return Numbers::Item{*first, *first};
  auto second = parse_unsigned(text.substr(cut + 1));
  if (!second) return std::nullopt;
  if (text[cut] == '/') {
    // A value with bits outside its mask would be of no number.
    if ((*first & ~*second) != 0) return std::nullopt;
    return Numbers::Item{*first, *first, *second};
  }
  if (*second < *first) return std::nullopt;
  return Numbers::Item{*first, *second};
}

std::optional<std::uint16_t> pci_number(std::string_view text) {
  if (text == "*") return model::kAnyNumber;
  std::uint16_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, 16);
  if (text.size() != 4 || error != std::errc() || end != text.data() + text.size())
    return std::nullopt;
  return number;
}

std::optional<DeviceType> device(std::string_view text) {
  if (text == "unassigned") return DeviceType{};
  std::size_t colon = text.find(':');
  if (colon != std::string_view::npos) {
    auto vendor = pci_number(text.substr(0, colon)), number = pci_number(text.substr(colon + 1));
    if (!vendor || !number || *vendor == 0) return std::nullopt;
    return DeviceType{model::Bus::pci, *vendor, *number};
  }
  for (const DeviceRow& row : DeviceTable::built_in().devices()) {
    if (!row.key.empty() && row.key == text) return row.type;
  }
  return std::nullopt;
}

std::optional<Space> space(std::string_view text) {
  for (int i = 0; i < model::kSpaces; ++i) {
    if (model::name_of(static_cast<Space>(i)) == text) return static_cast<Space>(i);
  }
  return std::nullopt;
}

// Whether the tables give one of the devices (all, if none is named) a register of that name.
bool is_register(const std::vector<DeviceType>& devices, std::string_view name) {
  auto has = [name](const DeviceRow& row) {
    return std::ranges::any_of(
        row.registers, [name](const model::RegisterRow& r) { return matches_name(name, r.name); });
  };
  auto kin = [](const DeviceType& wanted, const DeviceType& type) {
    if (wanted.bus != type.bus) return false;
    auto fits = [](std::uint16_t a, std::uint16_t b) {
      return a == b || a == model::kAnyNumber || b == model::kAnyNumber;
    };
    return wanted.bus != model::Bus::pci
               ? wanted == type
               : fits(wanted.vendor, type.vendor) && fits(wanted.number, type.number);
  };
  return std::ranges::any_of(DeviceTable::built_in().devices(), [&](const DeviceRow& row) {
    if (!has(row)) return false;
    return devices.empty() || std::ranges::any_of(devices, [&](const DeviceType& wanted) {
             return kin(wanted, row.type);
           });
  });
}

std::optional<RuleFault> parse_where(Words& words, AccessPattern& out) {
  const Word* word = words.peek();
  constexpr std::string_view kWhere =
      "a device (fdc, 8086:100e, 1af4:*, unassigned), a space (port, "
      "memory, bar0, config, ...) or any";
  if (word == nullptr || word->quoted) return words.fault(kWhere);
  if (words.take_if("any")) return std::nullopt;
  if (!space(word->text)) {
    RuleFault fault = words.fault(kWhere);
    for (std::string_view name : split(words.take()->text, ',')) {
      auto type = device(name);
      if (!type || out.devices.size() == kMaxDevices) return fault;
      out.devices.push_back(*type);
    }
    word = words.peek();
    if (word == nullptr) return std::nullopt;
  }
  if (word->quoted) {
    if (!is_register(out.devices, word->text)) {
      return words.fault("a register of the device by its name (see iovm rules devices)");
    }
    out.register_name = words.take()->text;
    return std::nullopt;
  }
  out.space = space(word->text);
  if (!out.space) return std::nullopt;
  words.take();
  word = words.peek();
  bool numbers = word != nullptr && !word->quoted && !word->text.empty() &&
                 (word->text == "not" || (word->text[0] >= '0' && word->text[0] <= '9'));
  if (!numbers) return std::nullopt;
  auto list = parse_numbers(words);
  if (auto* fault = std::get_if<RuleFault>(&list)) return *fault;
  out.registers = std::get<Numbers>(std::move(list));
  return std::nullopt;
}

std::optional<RuleFault> parse_code(Words& words, AccessPattern& out) {
  constexpr auto kOther = static_cast<std::uint8_t>(1U << static_cast<unsigned>(CodeClass::other));
  constexpr std::string_view kCode = "user, kernel, module, other, firmware or stray";
  RuleFault fault = words.fault(kCode);
  const Word* word = words.take();
  if (word == nullptr || word->quoted) return fault;
  for (std::string_view name : split(word->text, ',')) {
    if (name == "stray") {
      out.stray = true;
      out.code = static_cast<std::uint8_t>(out.code | kOther);
      continue;
    }
    int i = 1;
    while (i < model::kCodeClasses && model::name_of(static_cast<CodeClass>(i)) != name) ++i;
    if (i == model::kCodeClasses) return fault;
    out.code = static_cast<std::uint8_t>(out.code | 1U << i);
  }
  if (out.stray && out.code != kOther) {
    return words.fault_at(*word, "expected stray alone, not together with other places");
  }
  return std::nullopt;
}

std::optional<RuleFault> parse_qualifier(Words& words, AccessPattern& out) {
  if (words.take_if("misaligned")) {
    out.misaligned = true;
    return std::nullopt;
  }
  if (words.take_if("from")) return parse_code(words, out);
  Numbers* into = nullptr;
  if (words.take_if("value")) {
    into = &out.values;
  } else if (words.take_if("command")) {
    into = &out.values;
    out.command = true;
  } else if (words.take_if("size")) {
    into = &out.sizes;
  } else if (words.take_if("index")) {
    into = &out.index;
  } else {
    return words.fault("value, command, size, index, from, misaligned, or, or the end of the line");
  }
  auto list = parse_numbers(words);
  if (auto* fault = std::get_if<RuleFault>(&list)) return *fault;
  *into = std::get<Numbers>(std::move(list));
  return std::nullopt;
}

}  // namespace

std::variant<Numbers, RuleFault> parse_numbers(Words& words) {
  Numbers out;
  out.negated = words.take_if("not");
  for (bool more = true; more;) {
    RuleFault fault = words.fault(kItem);
    const Word* word = words.take();
    if (word == nullptr || word->quoted) return fault;
    std::string_view text = word->text;
    more = text.size() > 1 && text.ends_with(',');  // the list goes on behind the blank
    if (more) text.remove_suffix(1);
    for (std::string_view one : split(text, ',')) {
      auto parsed = item(one);
      if (!parsed) return fault;
      if (out.items.size() == kMaxItems) {
        return words.fault_at(*word, iovm::format("expected at most {} numbers", kMaxItems));
      }
      out.items.push_back(*parsed);
    }
  }
  return out;
}

std::variant<AccessPattern, RuleFault> parse_access(Words& words) {
  AccessPattern out;
  if (words.take_if("read")) {
    out.direction = trace::Direction::read;
  } else if (words.take_if("write")) {
    out.direction = trace::Direction::write;
  } else if (!words.take_if("access")) {
    return words.fault("read, write or access");
  }
  if (auto fault = parse_where(words, out)) return *fault;
  while (!words.done()) {
    const Word* word = words.peek();
    if (!word->quoted && word->text == "or") break;
    if (auto fault = parse_qualifier(words, out)) return *fault;
  }
  return out;
}

}  // namespace iovm::detect
