// SPDX-License-Identifier: Apache-2.0
//
// Times as distances from the event before, in three parts:
//
//   distance = base[symbol] + quantum * bits + residue
//
// The symbol stands for a range of distances (an octave in eight parts) and says how many plain
// bits tell the place in it. The table of symbols is part of the block, so how the ranges are cut
// is the writer's business alone. Most of a time is those bits, and they are noise: what can be
// saved is what the clock never said. Many clocks tick slower than their ns suggest (an HPET every
// 10 ns; a file that was recorded in us): then the distances are near multiples of the tick, the
// block's quantum, and the residue, which the slewing of the clock makes one of -1, 0, 1, is a
// column that nearly vanishes. On recordings under such a clock this takes a quarter off the file.
//
// Distances are taken modulo 2^64: a clock that steps backwards is a negative distance, like any
// other. Only a block with leaps beyond 2^55 ns either way keeps its distances plain.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace iovm::trace {

inline constexpr std::size_t kMostSymbols = 256;
inline constexpr unsigned kMostBits = 56;  // of one event: what one 8-byte load is sure to hold

struct TimeCode {
  std::uint64_t quantum = 1;
  std::vector<std::uint64_t> base;   // by symbol
  std::vector<std::uint8_t> length;  // bits, by symbol
  std::vector<std::byte> symbols;    // one an event
  std::vector<std::byte> residues;   // one an event, signed; none if all are 0
  std::vector<std::byte> bits;       // low bit first
};

// Codes the distances between the times, the first from `before`. False if they are too far apart:
// then they must be kept plain. `code` keeps its memory.
class TimeCoder {
 public:
  bool encode(std::span<const std::uint64_t> times, std::uint64_t before, TimeCode& code);

 private:
  bool choose_classes(std::uint64_t quantum, TimeCode& code);
  void make_table(unsigned fine, TimeCode& code);
  void put_bits(TimeCode& code);

  std::vector<std::int64_t> distances_;
  std::vector<std::int64_t> ticks_;
  std::vector<std::uint16_t> classes_;
  std::vector<std::int16_t> class_symbol_;
};

}  // namespace iovm::trace
