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

}  // namespace

struct Calibrator::StreamBlock {
  model::State state;
  model::Window window;
  std::uint32_t events = 0;
  std::uint32_t unseen = 0;   // a bit for each of the last events
  int most_unseen = 0;        // at a time, in the block
  std::uint32_t strange = 0;  // the same of accesses by code never seen
  int most_strange = 0;
  Bits largest = 0;
  std::uint64_t bits = 0;    // of the whole session
  std::uint64_t scored = 0;  // events that the method could score
  model::SymbolSet distinct;
};

void Calibrator::end_block(StreamBlock& s) {
  blocks_.push_back(s.largest);
  ++calibration_.unseen[static_cast<std::size_t>(s.most_unseen)];
  s.events = 0;
  s.largest = 0;
  ++calibration_.strange[static_cast<std::size_t>(s.most_strange)];
  s.most_unseen = s.most_strange = 0;
}

// A kind of stretch that the earlier work has not is a device that it has not: an access never
// seen.
void Calibrator::work(std::span<const Work> work, const model::VolumeNorm& norm) {
  for (const Work& w : work) {
    const model::Amounts* most = norm.most(w.kind);
    if (most == nullptr) continue;
    blocks_.push_back(model::volume_bits(model::excess(w.amounts, *most), model_.unknown()));
  }
}

void Calibrator::session(std::span<const Token> tokens,
                         std::span<const PlaceCounter::Number> came_from,
                         const std::vector<bool>& strange, std::uint64_t duration_ns) {
  std::vector<StreamBlock> streams;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const Token& token = tokens[i];
    if (token.stream >= streams.size()) streams.resize(token.stream + 1);
    StreamBlock& s = streams[token.stream];
    if (token.symbol == model::kNoSymbol) {
      s.state = {};
      s.window.clear();
      s.unseen = s.strange = 0;
      continue;
    }
    bool counts = model_.options().method == model::Method::markov ||
                  s.state.length >= model_.options().context();
    Bits bits = model_.score(s.state, token.symbol, s.state).bits;
    s.bits += bits;
    s.scored += counts ? 1 : 0;
    s.distinct.add(token.symbol);
    s.unseen = s.unseen << 1 | (unseen_[token.symbol] ? 1U : 0U);
    if (s.unseen != 0) s.most_unseen = std::max(s.most_unseen, std::popcount(s.unseen));
    s.strange = s.strange << 1 | (!came_from.empty() && strange[came_from[i]] ? 1U : 0U);
    if (s.strange != 0) s.most_strange = std::max(s.most_strange, std::popcount(s.strange));
    s.window.add(std::min(bits, model_.unknown()));
    Bits score = s.window.score();
    s.largest = std::max(s.largest, score);
    if (score > oddest_.bits) oddest_ = {score, token.symbol};
    ++calibration_.events;
    if (++s.events == kBlockEvents) end_block(s);
  }
  for (StreamBlock& s : streams) {
    if (s.events != 0) end_block(s);
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

}  // namespace iovm::train
