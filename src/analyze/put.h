// SPDX-License-Identifier: Apache-2.0
//
// Numbers into a growing text, for the renderers that print events by the million; everything else
// uses iovm::format. (Measured: to_chars and append take a third of format_to's time here.)
#pragma once

#include <charconv>
#include <cstdint>
#include <string>

namespace iovm::analyze {

inline void put_decimal(std::uint64_t number, std::string& out) {
  char digits[24];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

inline void put_signed(std::int64_t number, std::string& out) {
  char digits[24];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

// 0x1f7
inline void put_hexadecimal(std::uint64_t number, std::string& out) {
  char digits[24] = {'0', 'x'};
  out.append(digits, std::to_chars(digits + 2, digits + sizeof digits, number, 16).ptr);
}

// Nanoseconds as seconds with `decimals` (at most 9): 12.000001
inline void put_seconds(std::uint64_t ns, std::size_t decimals, std::string& out) {
  constexpr std::uint64_t kSecond = 1'000'000'000;
  put_decimal(ns / kSecond, out);
  // One second more, so that the zeros in front are written.
  char digits[24];
  std::to_chars(digits, digits + sizeof digits, kSecond + ns % kSecond);
  digits[0] = '.';
  out.append(digits, 1 + decimals);
}

// Blanks up to `width` characters behind `begin`; none if there are as many already.
inline void pad(std::size_t begin, std::size_t width, std::string& out) {
  std::size_t length = out.size() - begin;
  if (length < width) out.append(width - length, ' ');
}

}  // namespace iovm::analyze
