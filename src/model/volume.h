// SPDX-License-Identifier: Apache-2.0
//
// How much: what no single step betrays. A process that encrypts a disk, or scans it, does so
// through the guest's own driver, in the driver's order; what is odd is how much of it there is. So
// the work of one actor on one device is added up over a minute, a Stretch, and so is that of all
// actors together: accesses, writes among them, and on a disk whose commands the registers show,
// sectors, how far they are spread, and commands that write what was read just before (read,
// change, write back).
//
// Training keeps how large the amounts of its stretches were: histograms with eight steps an
// octave, which add up, so models merge exactly. What counts in detection is one-sided: how many
// times more a stretch has than the largest of training (but for the largest 2 % of many, so that
// a few poisoned stretches set no standard), each amount with a grain added below which nothing is
// much. Its logarithm is brought to the scale of the windowed scores, so that one threshold and one
// calibration hold for both, and one promise.
//
// Why a minute: a session's sum grows as long as it lasts, and training is always shorter than the
// watch that follows; amounts of a minute can be compared.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "model/device.h"
#include "model/model.h"

namespace iovm::model {

inline constexpr std::uint64_t kStretchNs = 60'000'000'000;

// The numbers are in model files.
enum class Quantity : std::uint8_t {
  accesses = 0,      // all, but for polls (model/poll_fold.h)
  writes = 1,        // those that write, doorbells too
  sectors_read = 2,  // of disk commands
  sectors_written = 3,
  regions = 4,   // different mebibytes of the disk
  rewrites = 5,  // commands that write what the same actor has just read
};
inline constexpr std::size_t kQuantities = 6;
std::string_view name_of(Quantity quantity);  // "accesses", "sectors-read", ...
// In words: "26 accesses", "416 KiB written", "12 reads that were written back".
std::string describe(Quantity quantity, std::uint64_t amount);

using Amounts = std::array<std::uint64_t, kQuantities>;

// Whose work a stretch is. The numbers are in model files.
enum class Whose : std::uint8_t {
  actor = 0,   // one guest process's, or one address space's where processes are not known
  device = 1,  // everybody's
};

struct StretchKind {
  DeviceType device;
  Whose whose = Whose::device;

  friend auto operator<=>(const StretchKind&, const StretchKind&) = default;
};

// So many stretches of a kind had an amount in a step of the scale; what none has is not there.
struct VolumeRow {
  StretchKind kind;
  Quantity quantity = Quantity::accesses;
  std::uint8_t step = 0;
  std::uint64_t count = 0;

  friend auto operator<=>(const VolumeRow&, const VolumeRow&) = default;
};
// Ascending by all but count, none twice.
using Volumes = std::vector<VolumeRow>;
inline constexpr std::size_t kMaxVolumeRows = std::size_t{1} << 18;

// The step of an amount, and the largest amount of a step.
std::uint8_t step_of(std::uint64_t amount);
std::uint64_t most_of(std::uint8_t step);

// The rows of stretches, in any order.
class VolumeCounter {
 public:
  void add(const StretchKind& kind, const Amounts& amounts);
  Volumes volumes() const;

 private:
  std::map<VolumeRow, std::uint64_t> rows_;  // keys with count 0
};
Volumes merged(const Volumes& a, const Volumes& b);

// What training holds for much.
class VolumeNorm {
 public:
  explicit VolumeNorm(const Volumes& volumes);

  // Nothing for a kind that training has not.
  const Amounts* most(const StretchKind& kind) const;
  const std::map<StretchKind, Amounts>& all() const { return most_; }

 private:
  std::map<StretchKind, Amounts> most_;
};

// How many times more than the norm, as its binary logarithm; an amount that is no more gives 0.
double excess(Quantity quantity, std::uint64_t amount, std::uint64_t most);
// The largest of a stretch.
double excess(const Amounts& amounts, const Amounts& most);
// The least amount whose excess is larger.
std::uint64_t limit(Quantity quantity, std::uint64_t most, double excess);

// The scale of the windowed scores: kLoudest weighs as much as the highest threshold of windows
// (kHighestShare of the price of a symbol that training never saw).
inline constexpr double kLoudest = 3;  // eight times as much
inline constexpr double kHighestShare = 0.4;
Bits volume_bits(double excess, Bits unknown);
double volume_excess(Bits bits, Bits unknown);

}  // namespace iovm::model
