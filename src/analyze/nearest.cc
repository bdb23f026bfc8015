// SPDX-License-Identifier: Apache-2.0
#include "analyze/nearest.h"

#include <algorithm>
#include <array>
#include <limits>

namespace iovm::analyze {
namespace {

using model::Operation;

constexpr unsigned kOther = 20;     // two different steps
constexpr unsigned kRegister = 12;  // another register of the same kind of device
constexpr unsigned kDirection = 8;  // the same register the other way
constexpr unsigned kValue = 4;      // the same access with another value or index
constexpr unsigned kGap = 10;       // a step that only one of them has

constexpr std::size_t kSide = model::kMaxContext + 2;
using Costs = std::array<std::array<unsigned, kSide>, kSide>;

unsigned cost(const Operation& a, const Operation& b) {
  if (a == b) return 0;
  if (a.device != b.device) return kOther;
  if (model::access_of(a) == model::access_of(b)) return kValue;
  return a.space == b.space && a.reg == b.reg ? kDirection : kRegister;
}

using Steps = std::vector<const Operation*>;

// costs[i][j]: of the first i steps of one beside the first j of the other.
unsigned fill(const Steps& seen, const Steps& normal, Costs& costs) {
  for (std::size_t i = 0; i <= seen.size(); ++i) {
    for (std::size_t j = 0; j <= normal.size(); ++j) {
      if (i == 0 || j == 0) {
        costs[i][j] = static_cast<unsigned>(i + j) * kGap;
        continue;
      }
      costs[i][j] = std::min({costs[i - 1][j - 1] + cost(*seen[i - 1], *normal[j - 1]),
                              costs[i - 1][j] + kGap, costs[i][j - 1] + kGap});
    }
  }
  return costs[seen.size()][normal.size()];
}

// The way back through the costs.
std::vector<AlignedStep> align(const Steps& seen, const Steps& normal) {
  Costs costs;
  fill(seen, normal, costs);
  std::vector<AlignedStep> steps;
  std::size_t i = seen.size();
  std::size_t j = normal.size();
  while (i > 0 || j > 0) {
    bool both =
        i > 0 && j > 0 && costs[i][j] == costs[i - 1][j - 1] + cost(*seen[i - 1], *normal[j - 1]);
    AlignedStep step;
    bool takes_seen = both || (i > 0 && costs[i][j] == costs[i - 1][j] + kGap);
    if (takes_seen) step.seen = model::describe(*seen[--i]);
    if (both || !takes_seen) step.normal = model::describe(*normal[--j]);
    steps.push_back(std::move(step));
  }
  std::ranges::reverse(steps);
  return steps;
}

// The operations of an n-gram; what its stream's begin left out is not there.
Steps steps_of(const model::ModelData& data, std::size_t ngram) {
  Steps steps;
  for (model::Symbol symbol : data.ngrams.at(ngram)) {
    if (symbol == model::kNoSymbol || model::is_unknown(symbol)) continue;
    steps.push_back(&data.alphabet[symbol - model::kFirstSymbol]);
  }
  return steps;
}

}  // namespace

std::optional<NearestNormal> nearest_normal(const model::ModelData& data,
                                            std::span<const Operation> sequence) {
  if (sequence.empty() || data.options.scheme != model::Scheme::devices) return std::nullopt;
  Steps seen;
  std::size_t length = std::min<std::size_t>(sequence.size(), data.ngrams.length);
  for (const Operation& operation : sequence.last(length)) seen.push_back(&operation);
  Costs costs;
  unsigned least = std::numeric_limits<unsigned>::max();
  std::size_t best = 0;
  std::size_t looked = 0;
  for (std::size_t i = 0; i < data.ngrams.size() && looked < kLooked; ++i) {
    Steps normal = steps_of(data, i);
    if (normal.empty() || normal.back()->device != seen.back()->device) continue;
    ++looked;
    unsigned far = fill(seen, normal, costs);
    bool nearer = far < least || (far == least && data.ngrams.counts[i] > data.ngrams.counts[best]);
    if (nearer) least = far, best = i;
  }
  if (looked == 0 || least == 0) return std::nullopt;
  return NearestNormal{align(seen, steps_of(data, best)), data.ngrams.counts[best]};
}

}  // namespace iovm::analyze
