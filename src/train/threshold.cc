// SPDX-License-Identifier: Apache-2.0
#include "train/threshold.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "train/poisson.h"

namespace iovm::train {
namespace {

using model::Bits;
using model::Calibration;
using model::Promise;

// A window must stay an alarm if model::kHighestShare of it is operations that training never saw.
using model::kHighestShare;
// And none, whatever the data say, if it is less than this share.
constexpr double kLowestShare = 0.15;
// Data that fall short of the promise by this factor, or more, get the highest threshold.
constexpr double kFarTooFew = 1e4;

// How many of the highest session scores may be alarms.
std::size_t alarms_of_sessions(const Calibration& c, const Promise& promise) {
  double n = static_cast<double>(c.scores.size()) + 1;
  return static_cast<std::size_t>(std::floor(promise.alarms * n + 1e-9));
}

model::Threshold session_threshold(const Calibration& c, const Promise& promise) {
  model::Threshold out;
  out.promise = promise;
  out.value = ~Bits{0};  // windows raise no alarm
  out.unseen = out.strange = model::kWindowEvents + 1;
  std::size_t alarms = alarms_of_sessions(c, promise);
  out.supported = alarms > 0;
  if (out.supported) out.session = c.scores[alarms - 1];
  out.expected = static_cast<double>(std::max<std::size_t>(alarms, 1)) * smallest_share(c);
  return out;
}

// The mean by which the largest tenth of the sample exceeds its smallest: the slope of the tail.
double tail_slope(const Calibration& calibration) {
  std::size_t tail = std::clamp<std::size_t>(static_cast<std::size_t>(calibration.blocks / 10), 5,
                                             std::max<std::size_t>(calibration.largest.size(), 5));
  tail = std::min(tail, calibration.largest.size());
  if (tail < 2) return 0;
  double base = calibration.largest[tail - 1];
  double sum = 0;
  for (std::size_t i = 0; i + 1 < tail; ++i) sum += calibration.largest[i] - base;
  return sum / static_cast<double>(tail - 1);
}

// So many blocks may be alarms: their number is as good as certain to keep the promise.
std::uint64_t alarms_allowed(const Calibration& c, const Promise& promise, double have) {
  std::uint64_t allowed = 0;
  double units = have / static_cast<double>(promise.per);
  while (allowed < c.blocks && poisson_bound(allowed + 1) <= promise.alarms * units) ++allowed;
  return allowed;
}

// Blocks with so many accesses in one window that training never saw.
std::uint64_t blocks_with(const model::UnseenCounts& counts, std::uint32_t unseen) {
  std::uint64_t out = 0;
  for (std::size_t i = unseen; i < counts.size(); ++i) out += counts[i];
  return out;
}

// The fewest, and no fewer than `least`, that are an alarm while no more blocks have them than
// `allowed`.
std::uint32_t least_alarm(const model::UnseenCounts& counts, std::uint32_t least,
                          std::uint64_t allowed) {
  std::uint32_t limit = least;
  while (limit <= model::kWindowEvents && blocks_with(counts, limit) > allowed) ++limit;
  return limit;
}

// How far data of which there should be `missing` times as many are from enough: 0 to 1.
double doubt(double missing) {
  return std::isfinite(missing) ? std::min(std::log(missing) / std::log(kFarTooFew), 1.0) : 1;
}

// By code never seen, with too few data: above all that was seen, and the more of them the more is
// missing.
std::uint32_t doubtful_strange(const Calibration& c, double missing) {
  double range = model::kMostStrange - model::kLeastStrange;
  auto least = model::kLeastStrange + static_cast<std::uint32_t>(std::ceil(doubt(missing) * range));
  return least_alarm(c.strange, least, 0);
}

// With too few data, `missing` times: above all that was seen, and the higher the more is missing.
Bits doubtful_threshold(const Calibration& c, double missing, Bits lowest, Bits highest) {
  if (c.largest.empty() || !std::isfinite(missing)) return highest;
  double tail = c.largest.front() + tail_slope(c) * std::log(missing);
  double doubtful = lowest + doubt(missing) * (highest - lowest);
  return static_cast<Bits>(std::min(std::max(tail, doubtful), static_cast<double>(highest)));
}

}  // namespace

double needed(const Promise& promise) {
  if (promise.unit == Promise::Unit::sessions) return std::ceil(1 / promise.alarms - 1e-9) - 1;
  return poisson_bound(0) * static_cast<double>(promise.per) / promise.alarms;
}

double smallest_share(const Calibration& calibration) {
  return 1 / (static_cast<double>(calibration.scores.size()) + 1);
}

double available(const Calibration& calibration, const Promise& promise) {
  if (promise.unit == Promise::Unit::sessions)
    return static_cast<double>(calibration.scores.size());
  return static_cast<double>(promise.unit == Promise::Unit::events ? calibration.events
                                                                   : calibration.duration_ns);
}

std::uint64_t alarms_at(const Calibration& calibration, const model::Threshold& threshold) {
  auto end = std::lower_bound(calibration.largest.begin(), calibration.largest.end(),
                              threshold.value, std::greater<>());
  return static_cast<std::uint64_t>(end - calibration.largest.begin()) +
         blocks_with(calibration.unseen, threshold.unseen) +
         blocks_with(calibration.strange, threshold.strange);
}

model::Threshold choose_threshold(const Calibration& calibration, const Promise& promise,
                                  Bits unknown) {
  if (promise.unit == Promise::Unit::sessions) return session_threshold(calibration, promise);
  model::Threshold out;
  out.promise = promise;
  double have = available(calibration, promise);
  auto highest = static_cast<Bits>(kHighestShare * unknown);
  auto lowest = static_cast<Bits>(kLowestShare * unknown);
  out.supported = have >= needed(promise) && !calibration.largest.empty();
  if (out.supported) {
    // Accesses never seen have half of the promise, code never seen half of the rest, scores what
    // is left.
    std::uint64_t allowed = alarms_allowed(calibration, promise, have);
    out.unseen = least_alarm(calibration.unseen, model::kLeastUnseen, allowed / 2);
    allowed -= blocks_with(calibration.unseen, out.unseen);
    out.strange = least_alarm(calibration.strange, model::kLeastStrange, allowed / 2);
    allowed -= blocks_with(calibration.strange, out.strange);
    bool all = allowed >= calibration.largest.size();
    out.value = std::max(lowest, all ? 0 : calibration.largest[allowed]);
  } else {
    out.unseen =
        std::min(least_alarm(calibration.unseen, model::kLeastUnseen, 0), model::kMostUnseen);
    out.strange = doubtful_strange(calibration, needed(promise) / have);
    out.value = doubtful_threshold(calibration, needed(promise) / have, lowest, highest);
  }
  if (have > 0) {
    out.expected =
        poisson_bound(alarms_at(calibration, out)) * static_cast<double>(promise.per) / have;
  }
  return out;
}

}  // namespace iovm::train
