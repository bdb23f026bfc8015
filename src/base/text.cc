// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"

#include <array>
#include <charconv>
#include <cmath>

#include "base/format.h"

namespace iovm {
namespace {

struct Unit {
  std::string_view name;
  double factor;
};

constexpr std::array kTimeUnits = {Unit{"ns", 1},     Unit{"us", 1e3},    Unit{"ms", 1e6},
                                   Unit{"s", 1e9},    Unit{"m", 60e9},    Unit{"min", 60e9},
                                   Unit{"h", 3600e9}, Unit{"d", 86400e9}, Unit{"", 1e9}};
constexpr std::array kSizeUnits = {Unit{"", 1},         Unit{"K", 0x1p10},   Unit{"KiB", 0x1p10},
                                   Unit{"M", 0x1p20},   Unit{"MiB", 0x1p20}, Unit{"G", 0x1p30},
                                   Unit{"GiB", 0x1p30}, Unit{"T", 0x1p40},   Unit{"TiB", 0x1p40}};

// number + unit as a count of the base unit; nothing if it is not one, is negative or does not fit.
template <std::size_t N>
std::optional<double> parse_scaled(std::string_view text, const std::array<Unit, N>& units) {
  double number = 0;
  auto [rest, failure] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (failure != std::errc() || !(number >= 0)) return std::nullopt;
  std::string_view name(rest, static_cast<std::size_t>(text.data() + text.size() - rest));
  for (const Unit& unit : units) {
    if (unit.name == name && number * unit.factor < 0x1p62) return number * unit.factor;
  }
  return std::nullopt;
}

template <typename Number>
std::optional<Number> parse_whole(std::string_view digits, int base) {
  Number number{};
  auto [rest, failure] =
      std::from_chars(digits.data(), digits.data() + digits.size(), number, base);
  if (failure != std::errc() || rest != digits.data() + digits.size()) return std::nullopt;
  return number;
}

// The length of the valid UTF-8 sequence that starts text, 0 if it is none.
std::size_t utf8_length(std::string_view text) {
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned lead = byte(0);
  std::size_t length = lead < 0x80                   ? 1
                       : lead >= 0xc2 && lead < 0xe0 ? 2
                       : (lead & 0xf0) == 0xe0       ? 3
                       : lead >= 0xf0 && lead < 0xf5 ? 4
                                                     : 0;
  if (length == 0 || length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  if (length == 3 && ((lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xed && byte(1) > 0x9f)))
    return 0;
  if (length == 4 && ((lead == 0xf0 && byte(1) < 0x90) || (lead == 0xf4 && byte(1) > 0x8f)))
    return 0;
  return length;
}

// A valid sequence that a terminal or a reader could be misled by: controls and direction
// overrides.
bool is_treacherous(std::string_view sequence) {
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(sequence[i]); };
  if (sequence.size() == 1) return byte(0) < 0x20 || byte(0) == 0x7f;
  if (sequence.size() == 2) return byte(0) == 0xc2 && byte(1) < 0xa0;
  if (sequence.size() != 3 || byte(0) != 0xe2) return false;
  bool overrides = byte(1) == 0x80 &&
                   ((byte(2) >= 0xa8 && byte(2) <= 0xae) || byte(2) == 0x8e || byte(2) == 0x8f);
  bool isolates = byte(1) == 0x81 && byte(2) >= 0xa6 && byte(2) <= 0xa9;
  return overrides || isolates;
}

void append_hex(std::string& out, std::string_view prefix, unsigned char byte) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out += prefix;
  out += kDigits[byte >> 4];
  out += kDigits[byte & 15];
}

}  // namespace

std::optional<std::uint64_t> parse_unsigned(std::string_view text) {
  if (text.starts_with("0x") || text.starts_with("0X"))
    return parse_whole<std::uint64_t>(text.substr(2), 16);
  return parse_whole<std::uint64_t>(text, 10);
}

std::optional<std::int64_t> parse_signed(std::string_view text) {
  return parse_whole<std::int64_t>(text, 10);
}

Result<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  auto ns = parse_scaled(text, kTimeUnits);
  if (!ns)
    return usage_error(
        format("\"{}\" is not a duration; write 250ms, 30s, 5m, 2h or 1d", escape_terminal(text)));
  return std::chrono::nanoseconds(std::llround(*ns));
}

Result<std::uint64_t> parse_size(std::string_view text) {
  auto bytes = parse_scaled(text, kSizeUnits);
  if (!bytes)
    return usage_error(
        format("\"{}\" is not a size; write 4096, 64K, 8M or 2G", escape_terminal(text)));
  return static_cast<std::uint64_t>(*bytes);
}

std::string describe_duration(std::chrono::nanoseconds duration) {
  double s = static_cast<double>(duration.count()) / 1e9;
  double size = std::abs(s);
  if (size < 1e-6) return format("{} ns", duration.count());
  if (size < 1e-3) return format("{:.3g} us", s * 1e6);
  if (size < 1) return format("{:.3g} ms", s * 1e3);
  if (size < 120) return format("{:.3g} s", s);
  auto whole = static_cast<long long>(s);
  if (size < 7200) return format("{} min {} s", whole / 60, std::abs(whole % 60));
  return format("{} h {} min", whole / 3600, std::abs(whole / 60 % 60));
}

std::string describe_size(std::uint64_t bytes) {
  if (bytes < 1024) return format("{} bytes", bytes);
  double size = static_cast<double>(bytes) / 1024;
  for (std::string_view unit : {"KiB", "MiB", "GiB"}) {
    if (size < 1024) return format("{:.1f} {}", size, unit);
    size /= 1024;
  }
  return format("{:.1f} TiB", size);
}

std::string counted(std::uint64_t count, std::string_view one, std::string_view several) {
  if (count != 1 && !several.empty()) return format("{} {}", count, several);
  return format("{} {}{}", count, one, count == 1 ? "" : "s");
}

std::string escape_terminal(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    std::size_t length = utf8_length(text);
    std::size_t taken = length == 0 ? 1 : length;
    std::string_view sequence = text.substr(0, taken);
    if (length == 0 || is_treacherous(sequence)) {
      for (char c : sequence) append_hex(out, "\\x", static_cast<unsigned char>(c));
    } else if (sequence == "\\") {
      out += "\\\\";
    } else {
      out += sequence;
    }
    text.remove_prefix(taken);
  }
  return out;
}

std::string valid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    std::size_t length = utf8_length(text);
    out += length == 0 ? std::string_view("\xef\xbf\xbd") : text.substr(0, length);
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

std::string percent_encode(std::string_view text) {
  if (text.empty()) return "%";
  std::string out;
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte >= 0x7f || c == '%') {
      append_hex(out, "%", byte);
    } else {
      out += c;
    }
  }
  return out;
}

std::optional<std::string> percent_decode(std::string_view text) {
  if (text == "%") return std::string();
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    auto byte = parse_whole<unsigned char>(text.substr(i + 1, 2), 16);
    if (!byte) return std::nullopt;
    out += static_cast<char>(*byte);
    i += 2;
  }
  return out;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> pieces;
  for (;;) {
    std::size_t end = text.find(separator);
    pieces.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return pieces;
    text.remove_prefix(end + 1);
  }
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

}  // namespace iovm
