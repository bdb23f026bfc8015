// SPDX-License-Identifier: Apache-2.0
#include "train/calibration.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>

#include "model/symbol_set.h"

namespace iovm::train {
namespace {

using model::Bits;
using model::Calibration;
using model::kBlockEvents;
using model::Promise;

// A window must stay an alarm if this share of it is operations that training never saw.
constexpr double kHighestShare = 0.4;
// And none, whatever the data say, if it is less than this share.
constexpr double kLowestShare = 0.15;
// Data that fall short of the promise by this factor, or more, get the highest threshold.
constexpr double kFarTooFew = 1e4;

struct StreamBlock {
  model::State state;
  model::Window window;
  std::uint32_t events = 0;
  std::uint32_t unseen = 0;  // a bit for each of the last events
  Bits largest = 0;
  std::uint64_t bits = 0;    // of the whole session
  std::uint64_t scored = 0;  // events that the method could score
  model::SymbolSet distinct;
};

// A scale must not be too fine for so few sessions as all are alike.
constexpr double kLeastBits = 0.05;
constexpr double kLeastDistance = 0.05;

struct Spread {
  double mean = 0;
  double deviation = 1;
};

template <typename Items, typename Get>
Spread spread_of(const Items& items, Get get, double least) {
  if (items.empty()) return {};
  auto n = static_cast<double>(items.size());
  double sum = 0, squares = 0;
  for (const auto& item : items) sum += get(item);
  double mean = sum / n;
  for (const auto& item : items) squares += (get(item) - mean) * (get(item) - mean);
  return {mean, std::max(std::sqrt(squares / n), least)};
}

// How many of the highest session scores may be alarms.
std::size_t alarms_of_sessions(const Calibration& c, const Promise& promise) {
  double n = static_cast<double>(c.scores.size()) + 1;
  return static_cast<std::size_t>(std::floor(promise.alarms * n + 1e-9));
}

model::Threshold session_threshold(const Calibration& c, const Promise& promise) {
  model::Threshold out;
  out.promise = promise;
  out.value = ~Bits{0};  // windows raise no alarm
  out.unseen = model::kWindowEvents + 1;
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

// The lowest threshold at which the data support the promise; their number is enough for one.
Bits supported_threshold(const Calibration& c, const Promise& promise, double have) {
  std::uint64_t allowed = 0;
  double units = have / static_cast<double>(promise.per);
  while (allowed + 1 < c.largest.size() && poisson_bound(allowed + 1) <= promise.alarms * units) {
    ++allowed;
  }
  return allowed < c.largest.size() ? c.largest[allowed] : 0;
}

}  // namespace

void Calibrator::session(std::span<const Token> tokens, std::uint64_t duration_ns) {
  std::vector<StreamBlock> streams;
  for (const Token& token : tokens) {
    if (token.stream >= streams.size()) streams.resize(token.stream + 1);
    StreamBlock& s = streams[token.stream];
    if (token.symbol == model::kNoSymbol) {
      s.state = {};
      s.window.clear();
      s.unseen = 0;
      continue;
    }
    bool counts = model_.options().method == model::Method::markov ||
                  s.state.length >= model_.options().context();
    Bits bits = model_.score(s.state, token.symbol, s.state).bits;
    s.bits += bits;
    s.scored += counts ? 1 : 0;
    s.distinct.add(token.symbol);
    s.unseen = s.unseen << 1 | (unseen_[token.symbol] ? 1U : 0U);
    calibration_.unseen =
        std::max(calibration_.unseen, static_cast<std::uint32_t>(std::popcount(s.unseen)));
    s.window.add(std::min(bits, model_.unknown()));
    s.largest = std::max(s.largest, s.window.mean());
    ++calibration_.events;
    if (++s.events == kBlockEvents) {
      blocks_.push_back(s.largest);
      s.events = 0;
      s.largest = 0;
    }
  }
  for (const StreamBlock& s : streams) {
    if (s.events != 0) blocks_.push_back(s.largest);
    if (s.scored == 0) continue;
    sessions_.push_back(
        {static_cast<double>(s.bits) / model::kOneBit / static_cast<double>(s.scored),
         sets_.distance(s.distinct.symbols(), 0)});
  }
  ++calibration_.sessions;
  calibration_.duration_ns += duration_ns;
}

void Calibrator::set_scale() {
  if (sessions_.size() > model::kMaxSessionSample) {
    sessions_.erase(sessions_.begin(), sessions_.end() - model::kMaxSessionSample);
  }
  Spread bits = spread_of(
      sessions_, [](const Views& v) { return v.bits; }, kLeastBits);
  Spread sets = spread_of(
      sessions_, [](const Views& v) { return v.distance; }, kLeastDistance);
  calibration_.scale = {bits.mean, bits.deviation, sets.mean, sets.deviation};
  bool combined = model_.options().session == model::SessionView::combined;
  for (const Views& v : sessions_) {
    calibration_.scores.push_back(combined ? calibration_.scale.combine(v.bits, v.distance)
                                           : v.bits);
  }
  std::ranges::sort(calibration_.scores, std::greater<>());
}

Calibration Calibrator::take() {
  set_scale();
  std::sort(blocks_.begin(), blocks_.end(), std::greater<>());
  calibration_.blocks = blocks_.size();
  if (blocks_.size() > model::kMaxSample) blocks_.resize(model::kMaxSample);
  calibration_.largest = std::move(blocks_);
  return std::move(calibration_);
}

// The mean of the Poisson distribution of which n or less come up one time in twenty: exactly, by
// halving; for many by Wilson and Hilferty's approximation of chi squared.
double poisson_bound(std::uint64_t n) {
  double k = static_cast<double>(n) + 1;
  double root = 1 - 1 / (9 * k) + 1.6448536 / (3 * std::sqrt(k));
  double rough = k * root * root * root;
  if (n > 100) return rough;
  double low = 0, high = 2 * rough + 10;
  for (int step = 0; step < 60; ++step) {
    double mean = (low + high) / 2;
    double term = std::exp(-mean), sum = term;
    for (std::uint64_t i = 1; i <= n; ++i) sum += term *= mean / static_cast<double>(i);
    (sum > 0.05 ? low : high) = mean;
  }
  return low;
}

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

std::uint64_t alarms_at(const Calibration& calibration, Bits threshold) {
  auto end = std::lower_bound(calibration.largest.begin(), calibration.largest.end(), threshold,
                              std::greater<>());
  return static_cast<std::uint64_t>(end - calibration.largest.begin());
}

model::Threshold choose_threshold(const Calibration& calibration, const Promise& promise,
                                  Bits unknown) {
  if (promise.unit == Promise::Unit::sessions) return session_threshold(calibration, promise);
  model::Threshold out;
  out.unseen = std::clamp(calibration.unseen + 1, model::kLeastUnseen, model::kMostUnseen);
  out.promise = promise;
  double have = available(calibration, promise);
  auto highest = static_cast<Bits>(kHighestShare * unknown);
  auto lowest = static_cast<Bits>(kLowestShare * unknown);
  out.supported = have >= needed(promise) && !calibration.largest.empty();
  if (out.supported) {
    out.value = std::max(lowest, supported_threshold(calibration, promise, have));
  } else if (calibration.largest.empty() || have <= 0) {
    out.value = highest;
  } else {
    double missing = needed(promise) / have;
    double tail = calibration.largest.front() + tail_slope(calibration) * std::log(missing);
    double share = std::log(missing) / std::log(kFarTooFew);
    double doubt = lowest + share * (highest - lowest);
    out.value = static_cast<Bits>(std::min(std::max(tail, doubt), static_cast<double>(highest)));
  }
  if (have > 0) {
    out.expected =
        poisson_bound(alarms_at(calibration, out.value)) * static_cast<double>(promise.per) / have;
  }
  return out;
}

}  // namespace iovm::train
