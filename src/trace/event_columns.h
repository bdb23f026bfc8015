// SPDX-License-Identifier: Apache-2.0
//
// The facts of an event block's payload that its encoder and decoder share: the fixed head before
// the section table, and how an op's values are kept.
#pragma once

#include <cstddef>
#include <cstdint>

#include "trace/op.h"

namespace iovm::trace {

// 0 ops u32, 4 symbols u16, 6 time mode u8, 7 reserved, 8 quantum u64, 16 first time u64
inline constexpr std::size_t kColumnsHeadBytes = 24;

inline constexpr std::uint8_t kTimePlain = 0;  // symbols column: the distances, 8 planes
inline constexpr std::uint8_t kTimeCoded = 1;

// A value mode: 0, or the log2 of the width in bytes and 8, or 16 for differences.
inline constexpr std::uint8_t kConstantValue = 0;
inline constexpr std::uint8_t kPlainValue = 8;
inline constexpr std::uint8_t kDifferenceValue = 16;

constexpr std::uint8_t value_mode(std::size_t width, bool difference) {
  std::size_t log = width == 1 ? 0 : width == 2 ? 1 : width == 4 ? 2 : 3;
  return static_cast<std::uint8_t>(log | (difference ? kDifferenceValue : kPlainValue));
}
constexpr bool is_value_mode(std::uint8_t mode) {
  return mode == kConstantValue || (mode & ~3U) == kPlainValue || (mode & ~3U) == kDifferenceValue;
}
constexpr bool is_difference(std::uint8_t mode) {
  return (mode & kDifferenceValue) != 0;
}
// 0 for a constant.
constexpr std::size_t value_width(std::uint8_t mode) {
  return mode == kConstantValue ? 0 : std::size_t{1} << (mode & 3U);
}

// The dictionary: each field of the ops, then the start value, then the mode.
inline constexpr std::size_t kDictionaryFields = kOpFields + 1;

}  // namespace iovm::trace
