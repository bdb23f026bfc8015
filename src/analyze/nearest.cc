// SPDX-License-Identifier: Apache-2.0
#include "analyze/nearest.h"

#include <algorithm>
#include <array>
#include <limits>

namespace iovm::analyze {
namespace {

constexpr unsigned kOther = 20;     // two different steps
constexpr unsigned kRegister = 12;  // another register of the same kind of device
constexpr unsigned kDirection = 8;  // the same register the other way
constexpr unsigned kValue = 4;      // the same access with another value or index
constexpr unsigned kGap = 10;       // a step that only one of them has

constexpr std::size_t kSide = model::kMaxContext + 2;
using Costs = std::array<std::array<unsigned, kSide>, kSide>;

// "8086:100e:bar0+10[3]:w4=5@user" in its parts.
struct NameParts {
  std::string_view device;  // "8086:100e"
  std::string_view place;   // "8086:100e:bar0+10"
  std::string access;       // "8086:100e:bar0+10:w4@user"
};

NameParts parts_of(std::string_view name) {
  std::size_t last = std::min(name.rfind(':'), name.size());
  std::string_view way = name.substr(last);
  // An index may have colons of its own, and is no part of the place.
  std::string_view place = name.substr(0, std::min(last, name.find('[')));
  std::size_t value = std::min(way.find('='), way.size());
  std::size_t flags = std::min(way.find_first_of("*!@", value), way.size());
  std::string access = std::string(place) + std::string(way.substr(0, value));
  return {place.substr(0, place.rfind(':')), place, access + std::string(way.substr(flags))};
}

}  // namespace

NearestFinder::NearestFinder(const model::ModelData& data) : data_(data) {
  if (data.options.scheme != model::Scheme::devices) return;
  for (const model::Operation& operation : data.alphabet) {
    alphabet_.push_back(step_of(model::short_name(operation)));
    alphabet_.back().operation = &operation;
  }
}

std::uint32_t NearestFinder::number_of(std::string_view part) {
  return numbers_.emplace(part, static_cast<std::uint32_t>(numbers_.size())).first->second;
}

NearestFinder::Step NearestFinder::step_of(std::string_view name) {
  NameParts parts = parts_of(name);
  return {number_of(parts.device), number_of(parts.place), number_of(parts.access),
          number_of(name)};
}

// The steps of an n-gram; what its stream's begin left out is not there.
void NearestFinder::take(std::size_t ngram, Steps& steps) const {
  steps.clear();
  for (model::Symbol symbol : data_.ngrams.at(ngram)) {
    if (symbol == model::kNoSymbol || model::is_unknown(symbol)) continue;
    steps.push_back(alphabet_[symbol - model::kFirstSymbol]);
  }
}

unsigned NearestFinder::cost(const Step& a, const Step& b) {
  if (a.whole == b.whole) return 0;
  if (a.device != b.device) return kOther;
  if (a.access == b.access) return kValue;
  return a.place == b.place ? kDirection : kRegister;
}

// costs[i][j]: of the first i steps of one beside the first j of the other.
template <typename Table>
unsigned NearestFinder::fill(const Steps& seen, const Steps& normal, Table& costs) {
  for (std::size_t i = 0; i <= seen.size(); ++i) {
    for (std::size_t j = 0; j <= normal.size(); ++j) {
      if (i == 0 || j == 0) {
        costs[i][j] = static_cast<unsigned>(i + j) * kGap;
        continue;
      }
      costs[i][j] = std::min({costs[i - 1][j - 1] + cost(seen[i - 1], normal[j - 1]),
                              costs[i - 1][j] + kGap, costs[i][j - 1] + kGap});
    }
  }
  return costs[seen.size()][normal.size()];
}

// The way back through the costs.
std::vector<AlignedStep> NearestFinder::align(const Steps& seen, std::span<const std::string> texts,
                                              const Steps& normal) {
  Costs costs;
  fill(seen, normal, costs);
  std::vector<AlignedStep> steps;
  std::size_t i = seen.size();
  std::size_t j = normal.size();
  while (i > 0 || j > 0) {
    bool both =
        i > 0 && j > 0 && costs[i][j] == costs[i - 1][j - 1] + cost(seen[i - 1], normal[j - 1]);
    AlignedStep step;
    bool takes_seen = both || (i > 0 && costs[i][j] == costs[i - 1][j] + kGap);
    if (takes_seen) step.seen = texts[--i];
    if (both || !takes_seen) step.normal = model::describe(*normal[--j].operation);
    steps.push_back(std::move(step));
  }
  std::ranges::reverse(steps);
  return steps;
}

std::optional<NearestNormal> NearestFinder::find(std::span<const std::string> names,
                                                 std::span<const std::string> texts) {
  if (names.empty() || names.size() != texts.size() || alphabet_.empty()) return std::nullopt;
  std::size_t length = std::min({names.size(), std::size_t{data_.ngrams.length}, kSide - 1});
  Steps seen;
  for (const std::string& name : names.last(length)) seen.push_back(step_of(name));
  Costs costs;
  Steps normal;
  unsigned least = std::numeric_limits<unsigned>::max();
  std::size_t best = 0;
  std::size_t looked = 0;
  for (std::size_t i = 0; i < data_.ngrams.size() && looked < kLooked; ++i) {
    take(i, normal);
    if (normal.empty() || normal.back().device != seen.back().device) continue;
    ++looked;
    unsigned far = fill(seen, normal, costs);
    bool nearer =
        far < least || (far == least && data_.ngrams.counts[i] > data_.ngrams.counts[best]);
    if (nearer) least = far, best = i;
  }
  if (looked == 0 || least == 0) return std::nullopt;
  take(best, normal);
  return NearestNormal{align(seen, texts.last(length), normal), data_.ngrams.counts[best]};
}

}  // namespace iovm::analyze
