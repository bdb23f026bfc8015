// SPDX-License-Identifier: Apache-2.0
#include "model/volume.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/format.h"

namespace iovm::model {
namespace {

constexpr unsigned kOctaveBits = 3;  // eight steps an octave
// Of many stretches one in so many may be larger than the norm.
constexpr std::uint64_t kOutliers = 50;

// What is added to both sides of a comparison: amounts below it say nothing.
constexpr Amounts kGrains = {
    32,    // accesses: a window of them
    32,    // writes
    8192,  // sectors: 4 MiB
    8192,
    8,  // regions: MiB
    2,  // rewrites
};

std::uint64_t grain(Quantity quantity) {
  return kGrains[static_cast<std::size_t>(quantity)];
}

std::string bytes_text(std::uint64_t sectors) {
  double kib = static_cast<double>(sectors) / 2;
  if (kib < 1024) return iovm::format("{:g} KiB", kib);
  if (kib < 1024.0 * 1024) return iovm::format("{:.1f} MiB", kib / 1024);
  return iovm::format("{:.1f} GiB", kib / 1024 / 1024);
}

}  // namespace

std::string_view name_of(Quantity quantity) {
  switch (quantity) {
    case Quantity::accesses:
      return "accesses";
    case Quantity::writes:
      return "writes";
    case Quantity::sectors_read:
      return "sectors-read";
    case Quantity::sectors_written:
      return "sectors-written";
    case Quantity::regions:
      return "regions";
    case Quantity::rewrites:
      return "rewrites";
  }
  return "accesses";
}

std::string describe(Quantity quantity, std::uint64_t amount) {
  switch (quantity) {
    case Quantity::accesses:
      return iovm::format("{} accesses", amount);
    case Quantity::writes:
      return iovm::format("{} writes", amount);
    case Quantity::sectors_read:
      return bytes_text(amount) + " read from the disk";
    case Quantity::sectors_written:
      return bytes_text(amount) + " written to the disk";
    case Quantity::regions:
      return iovm::format("{} different MiB of the disk touched", amount);
    case Quantity::rewrites:
      return iovm::format("{} disk writes over what was read just before", amount);
  }
  return {};
}

std::uint8_t step_of(std::uint64_t amount) {
  if (amount < 1U << kOctaveBits) return static_cast<std::uint8_t>(amount);
  auto octave = static_cast<unsigned>(std::bit_width(amount)) - 1;
  std::uint64_t in_octave = amount >> (octave - kOctaveBits) & ((1U << kOctaveBits) - 1);
  std::uint64_t step = (std::uint64_t{octave - kOctaveBits + 1} << kOctaveBits) + in_octave;
  return static_cast<std::uint8_t>(std::min<std::uint64_t>(step, 255));
}

std::uint64_t most_of(std::uint8_t step) {
  if (step < 1U << kOctaveBits) return step;
  unsigned shift = (step >> kOctaveBits) - 1U;
  std::uint64_t first = (1U << kOctaveBits) + (step & ((1U << kOctaveBits) - 1));
  return ((first + 1) << shift) - 1;
}

void VolumeCounter::add(const StretchKind& kind, const Amounts& amounts) {
  for (std::size_t i = 0; i < kQuantities; ++i) {
    if (amounts[i] == 0) continue;
    ++rows_[{kind, static_cast<Quantity>(i), step_of(amounts[i]), 0}];
  }
}

Volumes VolumeCounter::volumes() const {
  Volumes out;
  for (const auto& [key, count] : rows_) {
    out.push_back(key);
    out.back().count = count;
  }
  return out;
}

Volumes merged(const Volumes& a, const Volumes& b) {
  Volumes all, out;
  std::ranges::merge(a, b, std::back_inserter(all));
  for (const VolumeRow& row : all) {
    VolumeRow key = row;
    if (!out.empty()) key.count = out.back().count;
    if (!out.empty() && key == out.back()) {
      out.back().count += row.count;
    } else {
      out.push_back(row);
    }
  }
  return out;
}

VolumeNorm::VolumeNorm(const Volumes& volumes) {
  // Every stretch has accesses, so their number is that of the stretches.
  std::map<StretchKind, std::uint64_t> stretches;
  for (const VolumeRow& row : volumes) {
    if (row.quantity == Quantity::accesses) stretches[row.kind] += row.count;
  }
  std::map<std::pair<StretchKind, Quantity>, std::uint64_t> above;
  for (auto row = volumes.rbegin(); row != volumes.rend(); ++row) {
    Amounts& most = most_[row->kind];
    std::uint64_t& passed = above[{row->kind, row->quantity}];
    std::uint64_t& amount = most[static_cast<std::size_t>(row->quantity)];
    passed += row->count;
    if (amount == 0 && passed > stretches[row->kind] / kOutliers) amount = most_of(row->step);
  }
}

const Amounts* VolumeNorm::most(const StretchKind& kind) const {
  auto it = most_.find(kind);
  return it == most_.end() ? nullptr : &it->second;
}

double excess(Quantity quantity, std::uint64_t amount, std::uint64_t most) {
  if (amount <= most) return 0;
  auto add = static_cast<double>(grain(quantity));
  return std::log2((static_cast<double>(amount) + add) / (static_cast<double>(most) + add));
}

double excess(const Amounts& amounts, const Amounts& most) {
  double out = 0;
  for (std::size_t i = 0; i < kQuantities; ++i) {
    out = std::max(out, excess(static_cast<Quantity>(i), amounts[i], most[i]));
  }
  return out;
}

std::uint64_t limit(Quantity quantity, std::uint64_t most, double excess) {
  auto add = static_cast<double>(grain(quantity));
  double least = (static_cast<double>(most) + add) * std::exp2(excess) - add;
  constexpr double kLargest = 9e18;
  return static_cast<std::uint64_t>(std::clamp(least, 0.0, kLargest)) + 1;
}

Bits volume_bits(double excess, Bits unknown) {
  constexpr double kMost = 4e9;
  return static_cast<Bits>(std::min(excess / kLoudest * kHighestShare * unknown, kMost));
}

double volume_excess(Bits bits, Bits unknown) {
  return unknown == 0 ? 0 : bits * kLoudest / kHighestShare / unknown;
}

}  // namespace iovm::model
