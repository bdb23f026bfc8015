// SPDX-License-Identifier: Apache-2.0
#include "analyze/layout_text.h"

#include <charconv>
#include <cstdint>
#include <limits>

#include "base/format.h"
#include "base/text.h"
#include "model/device.h"
#include "trace/format.h"

namespace iovm::analyze {
namespace {

constexpr std::size_t kFixedWords = 4;  // place, identity, class, buses

// Hexadecimal digits alone, as many as there have to be.
template <typename Number>
bool take_digits(std::string_view& text, std::size_t digits, Number& out) {
  if (text.size() < digits) return false;
  unsigned number = 0;
  auto [rest, failure] = std::from_chars(text.data(), text.data() + digits, number, 16);
  if (failure != std::errc() || rest != text.data() + digits) return false;
  out = static_cast<Number>(number);
  text.remove_prefix(digits);
  return true;
}

bool take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

// 00:03.0
bool parse_place(std::string_view text, std::uint16_t& place) {
  unsigned bus = 0, device = 0, function = 0;
  if (!take_digits(text, 2, bus) || !take(text, ':') || !take_digits(text, 2, device) ||
      !take(text, '.') || !take_digits(text, 1, function) || !text.empty())
    return false;
  place = static_cast<std::uint16_t>(bus << 8 | device << 3 | function);
  return device < 32 && function < 8;
}

// 01-02, or - for no bridge
bool parse_buses(std::string_view text, trace::PciFunction& out) {
  if (text == "-") return true;
  return take_digits(text, 2, out.secondary) && take(text, '-') &&
         take_digits(text, 2, out.subordinate) && text.empty();
}

std::string_view type_of(const trace::PciRegion& region) {
  return !region.memory ? "io" : region.wide ? "mem64" : "mem";
}

// 0:mem:0xfeb80000:0x20000
bool parse_region(std::string_view text, trace::PciRegion& out) {
  auto parts = split(text, ':');
  if (parts.size() != 4) return false;
  auto bar = parse_unsigned(parts[0]), address = parse_unsigned(parts[2]),
       size = parse_unsigned(parts[3]);
  if (!bar || *bar > std::numeric_limits<std::uint8_t>::max() || !address || !size) return false;
  out.bar = static_cast<std::uint8_t>(*bar);
  out.memory = parts[1] != "io";
  out.wide = parts[1] == "mem64";
  out.address = *address;
  out.size = *size;
  return parts[1] == type_of(out);
}

}  // namespace

std::string layout_words(const trace::PciFunction& f) {
  std::string text = format("{} {:04x}:{:04x} {:04x} ", model::function_text(f.place), f.vendor,
                            f.device, f.class_code);
  text += f.secondary == 0 && f.subordinate == 0
              ? "-"
              : format("{:02x}-{:02x}", f.secondary, f.subordinate);
  for (const trace::PciRegion& region : f.regions)
    text += format(" {}:{}:{:#x}:{:#x}", region.bar, type_of(region), region.address, region.size);
  return text;
}

std::optional<trace::PciFunction> parse_layout_words(std::span<const std::string_view> words) {
  if (words.size() < kFixedWords || words.size() > kFixedWords + trace::kMostPciRegions)
    return std::nullopt;
  trace::PciFunction out;
  std::string_view identity = words[1], kind = words[2];
  bool right = parse_place(words[0], out.place) && take_digits(identity, 4, out.vendor) &&
               take(identity, ':') && take_digits(identity, 4, out.device) && identity.empty() &&
               take_digits(kind, 4, out.class_code) && kind.empty() && parse_buses(words[3], out);
  for (std::string_view word : words.subspan(kFixedWords))
    right = right && parse_region(word, out.regions.emplace_back());
  return right ? std::optional(std::move(out)) : std::nullopt;
}

}  // namespace iovm::analyze
