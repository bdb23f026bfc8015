// SPDX-License-Identifier: Apache-2.0
#include "train/recording.h"

#include <algorithm>

namespace iovm::train {

using model::kFirstSymbol;
using model::Symbol;

model::Volumes volumes_of(std::span<const Work> work) {
  model::VolumeCounter counter;
  for (const Work& w : work) counter.add(w.kind, w.amounts);
  return counter.volumes();
}

void RecordingPass::access(const trace::Event& event, const trace::Context& context) {
  model::Origin& origin = recording_.origin;
  if (origin.events == 0) origin.first_time = event.time;
  origin.last_time = std::max(origin.last_time, event.time);
  ++origin.events;
  model::Token token;
  tokenizer_.tokenize(event, token);
  if (token.symbol >= symbols_.size()) learn_symbols();
  Symbol symbol = symbols_[token.symbol];
  model::StreamIndex stream = streams_(event, token.device, context);
  if (stream >= state_.size()) state_.resize(stream + 1);
  Stream& s = state_[stream];
  if (s.fold.repeats(symbol) && polls_[token.symbol]) return;
  s.context = counter_.add(s.context, symbol);
  s.distinct.add(symbol);
  if (devices_) watch_.see(event, recording_.tokens.size(), token.device, tokenizer_.devices());
  recording_.tokens.push_back({stream, symbol});
  if (devices_) {
    recording_.came_from.push_back(place_counter_.count(event, token, tokenizer_.alphabet()));
  }
}

void RecordingPass::loss(const trace::Event& event) {
  recording_.lost.add(trace::loss_of(event));
  recording_.origin.lost += std::max<std::uint64_t>(trace::loss_of(event).count, 1);
  tokenizer_.lost(event);
  watch_.lost(event);
  for (model::StreamIndex i = 0; i < state_.size(); ++i) {
    Stream& s = state_[i];
    if (!streams_.touches(event, i) || s.context == Counter::kStart) continue;
    s.context = Counter::kStart;
    s.fold.clear();
    recording_.tokens.push_back({i, model::kNoSymbol});
    if (devices_) recording_.came_from.push_back(PlaceCounter::kNone);
  }
}

void RecordingPass::learn_symbols() {
  const model::Alphabet& seen = tokenizer_.alphabet();
  for (auto s = static_cast<Symbol>(symbols_.size()); s < seen.size(); ++s) {
    symbols_.push_back(s < kFirstSymbol ? s : alphabet_.intern(seen.operation(s)));
    polls_.push_back(s >= kFirstSymbol && devices_ && model::can_poll(seen.operation(s)));
  }
}

Recording RecordingPass::finish(const trace::Context& context) {
  Recording& r = recording_;
  r.origin.id = context.info.id;
  r.origin.source = context.info.source;
  r.starts = static_cast<std::int64_t>(r.origin.first_time) + context.info.utc_offset_ns;
  r.ngrams = counter_.ngrams();
  r.left_out = counter_.left_out();
  for (const Stream& s : state_) r.sets.push_back({s.distinct.symbols(), 1});
  r.sets = model::canonical(std::move(r.sets));
  watch_.finish();
  for (const model::Stretch& s : stretches_) {
    r.work.push_back({s.kind, s.amounts, static_cast<std::size_t>(s.first_event)});
  }
  r.volumes = volumes_of(r.work);
  r.places = place_counter_.places();
  r.numbered = place_counter_.rows();
  if (r.places.empty()) r.came_from = {};
  return std::move(r);
}

}  // namespace iovm::train
