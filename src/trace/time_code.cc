// SPDX-License-Identifier: Apache-2.0
#include "trace/time_code.h"

#include <algorithm>
#include <bit>

#include "base/assert.h"
#include "trace/bytes.h"

namespace iovm::trace {
namespace {

constexpr std::int64_t kFarthest = std::int64_t{1} << 55;
// An octave in 2^3 parts; measured: finer parts gain less than their longer tables cost.
constexpr unsigned kFinest = 3;
constexpr std::size_t kClasses = 2 * 64 << kFinest;

std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  return a / b - (a % b < 0 ? 1 : 0);
}

// The largest usual tick that nearly all distances are multiples of; 1 if there is none.
std::int64_t guess_quantum(std::span<const std::int64_t> distances) {
  constexpr std::size_t kSample = 512;
  std::size_t step = distances.size() / kSample + 1;
  for (std::int64_t quantum : {1'000'000, 1000, 100, 10}) {
    std::size_t near = 0;
    std::size_t seen = 0;
    for (std::size_t i = 0; i < distances.size(); i += step) {
      std::int64_t tick = floor_divide(distances[i] + quantum / 2, quantum);
      std::int64_t residue = distances[i] - tick * quantum;
      near += residue >= -1 && residue <= 1;
      seen += 1;
    }
    if (near * 10 >= seen * 8) return quantum;
  }
  return 1;
}

// The class of a number of ticks: its sign, its octave, and the part of the octave.
unsigned class_of(std::int64_t ticks, unsigned fine) {
  unsigned negative = ticks < 0 ? 1 : 0;
  auto size = static_cast<std::uint64_t>(negative != 0 ? -ticks : ticks);
  if (size == 0) return 0;
  auto octave = static_cast<unsigned>(std::bit_width(size));  // 1..56
  unsigned parts = std::min(fine, octave - 1);
  auto part = static_cast<unsigned>(size >> (octave - 1 - parts)) & ((1U << parts) - 1);
  return ((octave * 2 + negative) << fine) | part;
}

struct Range {
  std::int64_t lowest;  // in ticks
  unsigned bits;        // 2^bits numbers from there
};

Range range_of(unsigned number, unsigned fine) {
  unsigned part = number & ((1U << fine) - 1);
  unsigned octave = number >> (fine + 1);
  bool negative = ((number >> fine) & 1) != 0;
  if (octave == 0) return {0, 0};
  unsigned parts = std::min(fine, octave - 1);
  unsigned bits = octave - 1 - parts;
  auto lowest = static_cast<std::int64_t>(((std::uint64_t{1} << parts) | part) << bits);
  if (!negative) return {lowest, bits};
  return {-(lowest + static_cast<std::int64_t>((std::uint64_t{1} << bits) - 1)), bits};
}

}  // namespace

bool TimeCoder::encode(std::span<const std::uint64_t> times, std::uint64_t before, TimeCode& code) {
  distances_.resize(times.size());
  std::int64_t largest = 0;
  for (std::size_t i = 0; i < times.size(); ++i) {
    auto distance = static_cast<std::int64_t>(times[i] - before);
    before = times[i];
    distances_[i] = distance;
    largest |= distance < 0 ? ~distance : distance;
  }
  if (largest >= kFarthest) return false;
  std::int64_t quantum = guess_quantum(distances_);
  while (!choose_classes(static_cast<std::uint64_t>(quantum), code))
    quantum = quantum > 10 ? quantum / 10 : 1;
  put_bits(code);
  return true;
}

// Cuts the distances by this quantum; false if a residue does not fit its byte.
bool TimeCoder::choose_classes(std::uint64_t quantum, TimeCode& code) {
  auto tick = static_cast<std::int64_t>(quantum);
  code.quantum = quantum;
  code.residues.clear();
  ticks_.resize(distances_.size());
  if (tick == 1) {
    ticks_ = distances_;
  } else {
    code.residues.resize(distances_.size());
    std::int64_t any = 0;
    for (std::size_t i = 0; i < distances_.size(); ++i) {
      ticks_[i] = floor_divide(distances_[i] + tick / 2, tick);
      std::int64_t residue = distances_[i] - ticks_[i] * tick;
      code.residues[i] = static_cast<std::byte>(residue);
      any |= residue < 0 ? ~residue | 1 : residue;
    }
    if (any > INT8_MAX) return false;
    if (any == 0) code.residues.clear();
  }
  // Finer classes first; without them the octaves of both signs always fit.
  for (unsigned fine = kFinest;; --fine) {
    classes_.resize(ticks_.size());
    class_symbol_.assign(kClasses, -1);
    for (std::size_t i = 0; i < ticks_.size(); ++i) {
      classes_[i] = static_cast<std::uint16_t>(class_of(ticks_[i], fine));
      class_symbol_[classes_[i]] = 0;
    }
    auto used = std::count(class_symbol_.begin(), class_symbol_.end(), 0);
    if (used <= static_cast<std::ptrdiff_t>(kMostSymbols)) {
      make_table(fine, code);
      return true;
    }
    IOVM_ASSERT(fine > 0);
  }
}

// Numbers the classes in use and says what each stands for.
void TimeCoder::make_table(unsigned fine, TimeCode& code) {
  code.base.clear();
  code.length.clear();
  for (unsigned i = 0; i < kClasses; ++i) {
    if (class_symbol_[i] < 0) continue;
    Range range = range_of(i, fine);
    class_symbol_[i] = static_cast<std::int16_t>(code.base.size());
    code.base.push_back(static_cast<std::uint64_t>(range.lowest) * code.quantum);
    code.length.push_back(static_cast<std::uint8_t>(range.bits));
  }
}

void TimeCoder::put_bits(TimeCode& code) {
  code.symbols.resize(ticks_.size());
  code.bits.resize(ticks_.size() * sizeof(std::uint64_t) + sizeof(std::uint64_t));
  std::array<std::uint64_t, kMostSymbols> lowest{};
  for (std::size_t i = 0; i < code.base.size(); ++i)
    lowest[i] = static_cast<std::uint64_t>(static_cast<std::int64_t>(code.base[i]) /
                                           static_cast<std::int64_t>(code.quantum));
  std::byte* out = code.bits.data();
  std::uint64_t held = 0;  // bits not written yet, fewer than 8 of them
  unsigned count = 0;
  for (std::size_t i = 0; i < ticks_.size(); ++i) {
    auto symbol = static_cast<std::size_t>(class_symbol_[classes_[i]]);
    code.symbols[i] = static_cast<std::byte>(symbol);
    held |= (static_cast<std::uint64_t>(ticks_[i]) - lowest[symbol]) << count;
    count += code.length[symbol];
    store_le(out, held);
    out += count / 8;
    held = count >= 64 ? 0 : held >> (count & ~7U);
    count &= 7;
  }
  code.bits.resize(static_cast<std::size_t>(out - code.bits.data()) + (count > 0 ? 1 : 0));
}

}  // namespace iovm::trace
