// SPDX-License-Identifier: Apache-2.0
#include "detect/detector.h"

#include <algorithm>
#include <bit>

#include "detect/detector_stream.h"
#include "detect/rule_watch.h"

namespace iovm::detect {

using model::Bits;
using model::kWindowEvents;
using model::to_bits;

Detector::Detector(const Learned& learned, std::string trace, AlertSink& sink)
    : learned_(learned),
      data_(learned.data),
      model_(learned.model),
      trace_(std::move(trace)),
      sink_(sink),
      tokenizer_(data_.options.scheme),
      alphabet_(tokenizer_.alphabet()),
      devices_(tokenizer_.devices()),
      map_(data_.options.stream),
      vocabulary_(learned.accesses),
      places_(data_),
      watch_(&learned.limits),
      machine_(data_.options.scheme == model::Scheme::devices) {}

Detector::~Detector() = default;

Status Detector::feed(const trace::Context& context, std::span<const trace::Event> events) {
  tokenizer_.know(context.vms);
  for (const trace::Event& event : events) {
    if (event.kind == trace::EventKind::loss) {
      loss(event);
    } else if (auto ok = step(context, event); !ok) {
      return ok;
    }
    ++number_;
  }
  return {};
}

Status Detector::step(const trace::Context& context, const trace::Event& event) {
  ++stats_.events;
  model::Token token;
  tokenizer_.tokenize(event, token);
  if (rules_ != nullptr && rules_->minds(event, token)) {
    if (auto ok = rules_->look(context, number_, event, token, tokenizer_); !ok) return ok;
  }
  model::StreamIndex index = map_(event, token.device, context);
  while (index >= streams_.size()) streams_.push_back(std::make_unique<Stream>());
  Stream& s = *streams_[index];
  if (s.episode && s.episode->over(event.time)) {
    if (auto ok = close(context, s); !ok) return ok;
    s.window.clear();  // a new incident is not made of the old one's scores
    s.unseen = s.strange = 0;
  }
  model::Symbol symbol = vocabulary_(token.symbol, alphabet_);
  if (s.fold.repeats(token.symbol) && !model::is_unknown(symbol) && polls(token.symbol)) {
    ++s.events;
    if (watcher_ != nullptr) {
      watcher_->scored({number_, event, token, index, to_bits(s.window.score())});
    }
    return {};
  }
  Record& record = s.records[s.at];
  // Field by field: what is read below was written as it is read.
  record.event = number_;
  record.time = event.time;
  record.rip = event.rip;
  record.cr3 = event.cr3;
  record.before = s.state;
  record.seen = token.symbol;
  record.symbol = symbol;
  record.process = event.process;
  record.user = false;
  // What training saw from user space is known; so is all else.
  if (model::is_unknown(symbol)) {
    bool access = symbol == model::kUnknownRegister || symbol == model::kUnknownDevice;
    s.unseen = s.unseen << 1 | (access ? 1U : 0U);
    record.user = learned_.user_access.alarming(seen(token.symbol), event, context);
  } else {
    s.unseen <<= 1;
  }
  model::Score score = model_.score(s.state, symbol, s.state);
  record.bits = score.bits;
  record.followed = score.followed;
  s.at = (s.at + 1) % kWindowEvents;
  ++s.filled;
  if (s.events++ == 0) s.first_event = number_, s.first_time = event.time;
  s.bits += score.bits;
  s.distinct.add(token.symbol);
  s.window.add(std::min(score.bits, model_.unknown()));
  s.scored += model_.scores(record.before) ? 1 : 0;
  static constexpr model::VolumeWatch::Sight kNothing;
  const model::VolumeWatch::Sight& sight =
      machine_ ? watch_.see(event, number_, token.device, devices_) : kNothing;
  record.loud = sight.loud;
  s.strange <<= 1;
  bool unknown_code = false;
  PlaceWatch::Sight code = places_.see(event, token, alphabet_);
  if (code != PlaceWatch::Sight::usual) {
    auto unknown = strange_code(context, index, record, code);
    if (!unknown) return std::move(unknown).error();
    unknown_code = *unknown;
  }
  Bits mean = s.window.score();
  s.max_window = std::max(s.max_window, mean);
  if (watcher_ != nullptr) watcher_->scored({number_, event, token, index, to_bits(mean)});
  if (s.episode) {
    follow(s, record);
    if (unknown_code) blame_code(*s.episode, s);
    if (sight.passed != nullptr) blame(context, *s.episode, record, sight);
    return {};
  }
  if (record.user) return open(context, index, AlertKind::user_space, sight);
  if (unknown_code) return open(context, index, AlertKind::code, sight);
  if (unseen(s)) return open(context, index, AlertKind::unseen, sight);
  if (mean > data_.threshold.value) return open(context, index, AlertKind::window, sight);
  if (sight.passed != nullptr) return open(context, index, AlertKind::volume, sight);
  return {};
}

void Detector::loss(const trace::Event& event) {
  stats_.lost.add(trace::loss_of(event));
  tokenizer_.lost(event);
  watch_.lost(event);
  if (rules_ != nullptr) rules_->loss(event);
  for (model::StreamIndex i = 0; i < streams_.size(); ++i) {
    if (!map_.touches(event, i)) continue;
    Stream& s = *streams_[i];
    s.state = {};
    s.window.clear();
    s.fold.clear();
    s.unseen = s.strange = 0;
    s.filled = 0;
  }
}

// True at an access that training never saw, if it makes enough of them.
bool Detector::unseen(const Stream& s) const {
  return (s.unseen & 1) != 0 &&
         static_cast<std::uint32_t>(std::popcount(s.unseen)) >= data_.threshold.unseen;
}

bool Detector::polls(model::Symbol symbol) const {
  return machine_ && model::can_poll(alphabet_.operation(symbol));
}

// An episode takes one more event.
void Detector::follow(Stream& s, const Record& record) {
  Episode& e = *s.episode;
  Bits mean = s.window.score();
  e.count(record, data_.threshold.value);
  if (record.user) e.alert.kind = AlertKind::user_space;
  ++e.events;
  if (mean > data_.threshold.value) e.largest = std::max(e.largest, mean);
  // The window stays above the threshold for a while; the episode lasts as long as odd steps come.
  bool odd = (mean > data_.threshold.value && record.bits > data_.threshold.value) || unseen(s);
  if (odd || record.user || record.loud) {
    e.quiet = 0;
    e.alert.events = e.events;
    e.alert.last_event = record.event;
    e.alert.last_time = record.time;
  } else {
    ++e.quiet;
  }
}

Status Detector::finish(const trace::Context& context) {
  if (rules_ != nullptr) {
    if (auto ok = rules_->finish(context); !ok) return ok;
  }
  for (model::StreamIndex i = 0; i < streams_.size(); ++i) {
    Stream& s = *streams_[i];
    if (s.episode) {
      if (auto ok = close(context, s); !ok) return ok;
    }
    s.session = learned_.scorer(s.mean(), s.distinct, vocabulary_, alphabet_);
    if (s.scored == 0 || s.session.score <= data_.threshold.session) continue;
    if (auto ok = open(context, i, AlertKind::session, {}); !ok) return ok;
    Alert& alert = s.episode->alert;
    alert.first_event = s.first_event;
    alert.first_time = s.first_time;
    alert.events = s.events;
    alert.score = s.session.score;
    alert.p_value = s.session.p_value;
    alert.threshold = data_.threshold.session;
    if (auto ok = close(context, s); !ok) return ok;
  }
  return {};
}

std::vector<StreamScore> Detector::scores(const trace::Context& context) const {
  std::vector<StreamScore> out;
  for (model::StreamIndex i = 0; i < streams_.size(); ++i) {
    const Stream& s = *streams_[i];
    out.push_back({name(context, i), s.events, s.session, to_bits(s.max_window), s.alerts});
  }
  return out;
}

std::vector<double> Detector::usual() const {
  std::vector<double> out;
  for (const auto& stream : streams_) {
    if (stream->alerts == 0) out.push_back(stream->session.score);
  }
  return out;
}

Status run(trace::EventSource& source, Detector& detector) {
  for (;;) {
    auto batch = source.next();
    if (!batch) return std::move(batch).error();
    if (batch->empty()) return detector.finish(source.context());
    if (auto ok = detector.feed(source.context(), *batch); !ok) return ok;
  }
}

}  // namespace iovm::detect
