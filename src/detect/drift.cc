// SPDX-License-Identifier: Apache-2.0
#include "detect/drift.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace iovm::detect {
namespace {

// By how much the share of `now` above a score exceeds that of `then`, at most; both descending.
double largest_excess(const std::vector<double>& now, const std::vector<double>& then) {
  double excess = 0;
  for (std::size_t i = 0, k = 0; i < now.size();) {
    double score = now[i];
    while (i < now.size() && now[i] == score) ++i;
    while (k < then.size() && then[k] >= score) ++k;
    excess = std::max(excess, static_cast<double>(i) / static_cast<double>(now.size()) -
                                  static_cast<double>(k) / static_cast<double>(then.size()));
  }
  return excess;
}

// How likely an excess at least so large is by chance, one-sided.
double chance(double excess, double a, double b) {
  return std::exp(-2 * a * b / (a + b) * excess * excess);
}

}  // namespace

void Drift::add(double score) {
  last_.push_back(score);
  if (last_.size() > kSessions) last_.pop_front();
}

std::optional<Drift::Finding> Drift::found() const {
  const std::vector<double>& then = calibration_.scores;
  if (last_.size() < kLeastSessions || then.size() < kLeastCalibration) return std::nullopt;
  std::vector<double> now(last_.begin(), last_.end());
  std::ranges::sort(now, std::greater<>());
  double excess = largest_excess(now, then);
  double p = chance(excess, static_cast<double>(now.size()), static_cast<double>(then.size()));
  if (p >= kSure) return std::nullopt;
  return Finding{excess, p, now.size()};
}

}  // namespace iovm::detect
