// SPDX-License-Identifier: Apache-2.0
//
// A column that stands op by op: all numbers of the first op, then all of the second... The values
// of events do, and the addresses of those ops that run through many (a screen's memory). What a
// driver does with one register is often always the same number, or one that it counts up, so each
// op says in a mode byte how its numbers are kept:
//
//   0        one number for all of them, which stands in the dictionary
//   8 | w    each plain, 2^w bytes wide
//   16 | w   each as the difference from the one before, the first from the number in the
//            dictionary; modulo 2^(8 * 2^w)
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "trace/raw_bytes.h"

namespace iovm::trace {

inline constexpr std::uint8_t kConstantMode = 0;
inline constexpr std::uint8_t kPlainMode = 8;
inline constexpr std::uint8_t kDifferenceMode = 16;

constexpr bool is_mode(std::uint8_t mode) {
  return mode == kConstantMode || (mode & ~3U) == kPlainMode || (mode & ~3U) == kDifferenceMode;
}
// In bytes; 0 for a constant.
constexpr std::size_t width_of(std::uint8_t mode) {
  return mode == kConstantMode ? 0 : std::size_t{1} << (mode & 3U);
}

// How the numbers of one op are kept.
struct OpPlan {
  std::uint8_t mode = kConstantMode;
  std::uint64_t start = 0;  // the constant, or what the first difference is from
};

// Makes the column; keeps its memory from block to block.
class OpColumnWriter {
 public:
  void clear();
  // The next op's numbers, in the order of its events.
  void add(std::span<const std::uint64_t> numbers);

  const std::vector<OpPlan>& plans() const { return plans_; }
  const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  std::vector<OpPlan> plans_;  // by op
  std::vector<std::byte> bytes_;
  std::vector<std::uint64_t> differences_;
};

// Where the next number of an op stands. A constant's never moves on.
struct OpCursor {
  std::uint32_t position = 0;
  std::uint32_t stride = 0;
  std::uint64_t mask = 0;
};

// The column laid out for decoding, which only walks along it.
class OpColumnReader {
 public:
  // The plans must hold modes that are modes; `counts` says how many events each op has. True if
  // the column needs exactly `size` bytes.
  bool set(std::span<const OpPlan> plans, std::span<const std::uint32_t> counts, std::size_t size);
  // Then: the column's bytes, as many as said.
  void lay_out(std::span<const OpPlan> plans, std::span<const std::uint32_t> counts,
               std::span<const std::byte> column);

  OpCursor* cursors() { return cursors_.data(); }
  const std::byte* numbers() const { return numbers_.data(); }

 private:
  std::vector<OpCursor> cursors_;
  RawBytes numbers_;
};

}  // namespace iovm::trace
