// SPDX-License-Identifier: Apache-2.0
#include "train/trainer.h"

#include <algorithm>

#include "model/symbol_set.h"
#include "train/novelty.h"
#include "train/threshold.h"

namespace iovm::train {
namespace {

using model::kFirstSymbol;
using model::kNoSymbol;
using model::Ngrams;
using model::Symbol;

constexpr std::size_t kMaxRecordings = 64;

std::uint64_t duration(const model::Origin& origin) {
  return origin.last_time - origin.first_time;
}

}  // namespace

Status Trainer::add(trace::EventSource& source, Use use, const Verdict& may_learn) {
  model::Alphabet alphabet = alphabet_;  // of what is not learned from nothing stays
  RecordingPass pass(options_, alphabet, counted());
  for (;;) {
    auto batch = source.next();
    if (!batch) return std::move(batch).error();
    if (batch->empty()) break;
    pass.take(source.context(), *batch);
  }
  if (may_learn && !may_learn()) return {};
  alphabet_ = std::move(alphabet);
  Recording recording = pass.finish(source.context());
  training_.lost.add(recording.lost);
  training_.left_out += recording.left_out;
  if (use == Use::calibrate) {
    training_.held_out += recording.origin.events;
    recording.ngrams = {};
    held_.push_back(std::move(recording));
    return {};
  }
  training_.events += recording.origin.events;
  recording.number = training_.recordings++;
  training_.without_code += recording.places.empty() ? 1 : 0;
  recordings_.push_back(std::move(recording));
  std::stable_sort(recordings_.begin(), recordings_.end(),
                   [](const Recording& a, const Recording& b) { return a.starts < b.starts; });
  compact();
  return {};
}

// Keeps the number of recordings and of tokens within bounds; the earliest give way.
void Trainer::compact() {
  std::size_t tokens = 0;
  for (auto it = recordings_.rbegin(); it != recordings_.rend(); ++it) {
    tokens += it->tokens.size();
    // A single recording that is larger than the budget keeps its latest part.
    if (tokens > kTokenBudget && it == recordings_.rbegin()) {
      std::size_t gone = tokens - kTokenBudget;
      auto first = static_cast<std::ptrdiff_t>(gone);
      it->tokens.erase(it->tokens.begin(), it->tokens.begin() + first);
      if (!it->came_from.empty()) {
        it->came_from.erase(it->came_from.begin(), it->came_from.begin() + first);
      }
      std::erase_if(it->work, [gone](const Work& w) { return w.token < gone; });
      for (Work& w : it->work) w.token -= gone;
      tokens = kTokenBudget;
    } else if (tokens > kTokenBudget) {
      it->tokens = {};
      it->came_from = {};
      it->work = {};
    }
  }
  if (recordings_.size() <= kMaxRecordings) return;
  Recording& first = recordings_.front();
  old_ = old_.length == 0 ? std::move(first.ngrams) : merged(old_, first.ngrams);
  old_sets_.insert(old_sets_.end(), first.sets.begin(), first.sets.end());
  old_sets_ = model::canonical(std::move(old_sets_));
  old_volumes_ = model::merged(old_volumes_, first.volumes);
  old_places_ = model::merged(old_places_, first.places);
  old_origins_.push_back(first.origin);
  recordings_.erase(recordings_.begin());
}

std::size_t Trainer::held_out() const {
  std::size_t all = recordings_.size() + old_origins_.size();
  return std::min(recordings_.size(), all / 3 + (all % 3 != 0 ? 1 : 0));
}

std::uint32_t Trainer::counted() const {
  return chooses_ ? std::max(model::kLongOrder, options_.context()) : options_.context();
}

Trainer::Split Trainer::split_recordings() const {
  Split split{old_, old_sets_, old_volumes_, old_places_, {}};
  split.ngrams.length = counted() + 1;
  std::size_t out = held_.empty() ? held_out() : 0;
  for (std::size_t i = 0; i + out < recordings_.size(); ++i) {
    const Recording& s = recordings_[i];
    split.ngrams = merged(split.ngrams, s.ngrams);
    split.sets.insert(split.sets.end(), s.sets.begin(), s.sets.end());
    split.volumes = model::merged(split.volumes, s.volumes);
    split.places = model::merged(split.places, s.places);
  }
  split.sets = model::canonical(std::move(split.sets));
  for (const Recording& s : held_.empty() ? std::span(recordings_).last(out) : std::span(held_)) {
    split.held.push_back({{}, {}, s.tokens, s.came_from, s.numbered, s.work, duration(s.origin)});
  }
  return split;
}

// A recording by itself is cut: between its sessions, or in time.
Trainer::Split Trainer::split_one() const {
  const Recording& only = recordings_.front();
  const std::vector<Token>& all = only.tokens;
  std::size_t time = all.size() - all.size() / 3;
  model::StreamIndex streams = 0;
  for (const Token& token : all) streams = std::max(streams, token.stream + 1);
  bool come_and_go = options_.stream == model::StreamKind::process ||
                     options_.stream == model::StreamKind::device_process;
  bool whole = come_and_go && streams >= 3;
  model::StreamIndex first = whole ? streams - streams / 3 : streams;
  Split split;
  Counter counter(counted());
  std::vector<Counter::Context> contexts(streams, Counter::kStart);
  std::vector<model::SymbolSet> distinct(streams);
  std::vector<model::PlaceRow> places = only.numbered;
  for (model::PlaceRow& row : places) row.count = 0;
  Split::Part part;
  part.numbered = only.numbered;
  part.duration_ns = duration(only.origin) / 3;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Token& token = all[i];
    if (whole ? token.stream >= first : i >= time) {
      part.own.push_back(token);
      if (!only.came_from.empty()) part.own_from.push_back(only.came_from[i]);
      continue;
    }
    if (!only.came_from.empty()) ++places[only.came_from[i]].count;
    Counter::Context& context = contexts[token.stream];
    context = token.symbol == kNoSymbol ? Counter::kStart : counter.add(context, token.symbol);
    if (token.symbol != kNoSymbol) distinct[token.stream].add(token.symbol);
  }
  split.ngrams = counter.ngrams();
  for (const model::SymbolSet& set : distinct) split.sets.push_back({set.symbols(), 1});
  split.sets = model::canonical(std::move(split.sets));
  // Where sessions are held out, amounts are not: they are not theirs alone.
  std::vector<Work> earlier;
  for (const Work& w : only.work) {
    if (whole || w.token < time) {
      earlier.push_back(w);
    } else {
      part.work.push_back(w);
    }
  }
  split.volumes = volumes_of(earlier);
  places.erase(places.begin());
  std::erase_if(places, [](const model::PlaceRow& row) { return row.count == 0; });
  std::ranges::sort(places);
  split.places = std::move(places);
  split.held.push_back(std::move(part));
  return split;
}

// Counts the earlier work alone, and scores the later with it.
model::Calibration Trainer::calibrate() {
  bool one = held_.empty() && recordings_.size() + old_origins_.size() == 1;
  Split split = one ? split_one() : split_recordings();
  split.ngrams = model::shortened(split.ngrams, options_.context() + 1);
  model::Model model(options_, split.ngrams, alphabet_.size());
  model::SetView sets(split.sets, alphabet_.size());
  model::VolumeNorm norm(split.volumes);
  Calibrator calibrator(model, sets, unseen(alphabet_, split.ngrams));
  for (const Split::Part& part : split.held) {
    bool own = !part.own.empty();
    calibrator.session(own ? std::span<const Token>(part.own) : part.tokens,
                       own ? std::span<const PlaceCounter::Number>(part.own_from) : part.came_from,
                       strange(part.numbered, split.places), part.duration_ns);
    calibrator.work(part.work, norm);
  }
  return calibrator.take();
}

// Whether any recording stands alone with what it shows.
std::vector<ByOthers> Trainer::by_others(const model::Ngrams& whole) const {
  std::vector<ByOthers> out;
  if (promise_.unit == model::Promise::Unit::sessions) return out;  // windows raise no alarm there
  if (recordings_.size() + old_origins_.size() < 2) return out;
  for (const Recording& recording : recordings_) {
    out.push_back(score_by_others(recording, whole, options_, alphabet_));
  }
  return out;
}

void Trainer::tell_unlike(const std::vector<ByOthers>& by_others) {
  for (std::size_t i = 0; i < by_others.size(); ++i) {
    const ByOthers& by = by_others[i];
    std::uint64_t alarms = alarms_at(by.calibration, training_.data.threshold);
    if (alarms == 0) continue;
    training_.unlike.push_back({recordings_[i].number, alarms, by.oddest.bits,
                                model::is_unknown(by.oddest.symbol)
                                    ? model::DeviceType{}
                                    : alphabet_.operation(by.oddest.symbol).device});
  }
}

// The alphabet in the order of the model's, and everything counted in its symbols.
void Trainer::sort_alphabet() {
  model::ModelData& data = training_.data;
  model::SymbolSet learned;  // what only calibration has is not known
  for (const model::SessionSet& set : data.sets) {
    for (Symbol s : set.symbols) learned.add(s);
  }
  std::vector<Symbol> order = learned.symbols();
  std::erase_if(order, [](Symbol s) { return model::is_unknown(s); });
  std::ranges::sort(order, {}, [&](Symbol s) { return alphabet_.operation(s); });
  std::vector<Symbol> sorted(alphabet_.size(), model::kOverflow);
  for (std::size_t i = 0; i < order.size(); ++i) {
    data.alphabet.push_back(alphabet_.operation(order[i]));
    sorted[order[i]] = static_cast<Symbol>(i) + kFirstSymbol;
  }
  data.ngrams = renamed(data.ngrams, sorted);
  data.sets = model::canonical(renamed(data.sets, sorted), model::symbol_hashes(data.alphabet));
}

Result<Training> Trainer::finish() {
  if (training_.events == 0) {
    return input_error("there is no event to train on (iovm info tells what a recording holds)");
  }
  model::ModelData& data = training_.data;
  if (chooses_ && training_.events > model::kManySymbols) options_.order = model::kLongOrder;
  data.options = options_;
  data.calibration = calibrate();
  data.ngrams = old_;
  data.ngrams.length = counted() + 1;
  data.sets = old_sets_;
  data.volumes = old_volumes_;
  data.places = old_places_;
  data.origins = old_origins_;
  for (const Recording& recording : recordings_) {
    data.ngrams = merged(data.ngrams, recording.ngrams);
    data.sets.insert(data.sets.end(), recording.sets.begin(), recording.sets.end());
    data.volumes = model::merged(data.volumes, recording.volumes);
    data.places = model::merged(data.places, recording.places);
    data.origins.push_back(recording.origin);
  }
  std::vector<ByOthers> others = by_others(data.ngrams);
  data.ngrams = model::shortened(data.ngrams, options_.context() + 1);
  if (data.ngrams.size() > model::kMaxNgrams) {
    return input_error(
        "there are more different sequences than a model holds (try a smaller --order)");
  }
  if (data.places.size() > model::kMaxPlaces) {
    return input_error(
        "the guests drive their devices from more places of code than a model holds");
  }
  sort_alphabet();
  std::ranges::sort(data.origins);
  data.threshold = choose_threshold(data.calibration, promise_,
                                    unknown_price(options_, data.ngrams, data.symbols()));
  tell_unlike(others);
  return std::move(training_);
}

}  // namespace iovm::train
