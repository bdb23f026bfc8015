// SPDX-License-Identifier: Apache-2.0
#include "detect/detector.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/format.h"

namespace iovm::detect {
namespace {

using model::Bits;
using model::kWindowEvents;
using model::to_bits;

constexpr std::size_t kMaxCounted = 64;  // processes of an episode that are counted apart

}  // namespace

// One event of a stream, as much of it as a reason may need.
struct Detector::Record {
  std::uint64_t event = 0;
  std::uint64_t time = 0;
  std::uint64_t rip = 0;
  model::State before;       // of the model
  model::Symbol seen = 0;    // in the tokenizer's alphabet
  model::Symbol symbol = 0;  // in the model's
  std::uint32_t process = 0;
  Bits bits = 0;
  bool followed = true;
};

// An alarm that is going on.
struct Detector::Episode {
  Alert alert;
  Bits largest = 0;
  std::uint32_t quiet = 0;  // events of the stream since the last alarm
  std::uint64_t events = 0;
  std::vector<std::pair<std::uint32_t, std::uint64_t>> processes;

  void count(std::uint32_t process, std::uint64_t times) {
    for (auto& [known, events_of] : processes) {
      if (known == process) {
        events_of += times;
        return;
      }
    }
    if (processes.size() < kMaxCounted) processes.emplace_back(process, times);
  }
};

struct Detector::Stream {
  model::State state;
  model::Window window;
  std::uint32_t filled = 0;  // records since the stream began or was cut
  std::uint32_t at = 0;      // where the next one goes
  std::uint64_t events = 0;
  std::uint64_t bits = 0;    // sum
  std::uint64_t scored = 0;  // events that the method could score
  Bits max_window = 0;
  std::uint64_t alerts = 0;
  std::unique_ptr<Episode> episode;
  std::array<Record, kWindowEvents> records;

  // The records in order, oldest first.
  template <typename F>
  void each_record(F&& f) const {
    std::uint32_t count = std::min(filled, kWindowEvents);
    for (std::uint32_t i = 0; i < count; ++i) {
      f(records[(at + kWindowEvents - count + i) % kWindowEvents]);
    }
  }
};

// Where in the window the episode began: from there to its end the scores exceed the threshold the
// most. A lone odd step of last week, still in the window of a quiet stream, is not the beginning.
std::vector<const Detector::Record*>::const_iterator Detector::begin_of(
    const std::vector<const Record*>& window, Bits threshold) {
  std::int64_t sum = 0, most = 0;
  auto begin = std::prev(window.end());
  for (auto at = window.end(); at != window.begin();) {
    --at;
    sum += static_cast<std::int64_t>((*at)->bits) - threshold;
    if (sum > most) {
      most = sum;
      begin = at;
    }
  }
  return begin;
}

Detector::Detector(const model::ModelData& data, const model::Model& model, std::string trace,
                   AlertSink& sink)
    : data_(data),
      model_(model),
      trace_(std::move(trace)),
      sink_(sink),
      tokenizer_(data.options.scheme),
      map_(data.options.stream),
      vocabulary_(data.alphabet) {}

Detector::~Detector() = default;

Status Detector::feed(const trace::Context& context, std::span<const trace::Event> events) {
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
  model::Token token = tokenizer_(event);
  model::StreamIndex index = map_(event, token.device);
  if (index >= streams_.size()) streams_.resize(index + 1);
  Stream& s = streams_[index];
  Record& record = s.records[s.at];
  record = {number_,      event.time,   event.rip,
            s.state,      token.symbol, vocabulary_(token.symbol, tokenizer_.alphabet()),
            event.process};
  model::Score score = model_.score(s.state, record.symbol, s.state);
  record.bits = score.bits;
  record.followed = score.followed;
  s.at = (s.at + 1) % kWindowEvents;
  s.filled += s.filled < kWindowEvents ? 1 : 0;
  ++s.events;
  s.bits += score.bits;
  s.window.add(std::min(score.bits, model_.unknown()));
  bool scored = data_.options.method == model::Method::markov ||
                record.before.length >= data_.options.context();
  s.scored += scored ? 1 : 0;
  Bits mean = s.window.mean();
  s.max_window = std::max(s.max_window, mean);
  if (mean > data_.threshold.value && !s.episode) return open(context, index);
  if (s.episode) return follow(context, s, record);
  return {};
}

void Detector::loss(const trace::Event& event) {
  stats_.lost.add(trace::loss_of(event));
  tokenizer_.lost(event);
  for (model::StreamIndex i = 0; i < streams_.size(); ++i) {
    if (!map_.touches(event, i)) continue;
    streams_[i].state = {};
    streams_[i].window.clear();
    streams_[i].filled = 0;
  }
}

// An episode takes one more event: it goes on, or it has been quiet for long enough.
Status Detector::follow(const trace::Context& context, Stream& s, const Record& record) {
  Episode& e = *s.episode;
  Bits mean = s.window.mean();
  e.count(record.process, 1);
  ++e.events;
  if (mean > data_.threshold.value) e.largest = std::max(e.largest, mean);
  // The window stays above the threshold for a while; the episode lasts as long as odd steps come.
  if (mean > data_.threshold.value && record.bits > data_.threshold.value) {
    e.quiet = 0;
    e.alert.events = e.events;
    e.alert.last_event = record.event;
    e.alert.last_time = record.time;
    return {};
  }
  if (++e.quiet < model::kBlockEvents) return {};
  return close(context, s);
}

Status Detector::open(const trace::Context& context, model::StreamIndex index) {
  Stream& s = streams_[index];
  s.episode = std::make_unique<Episode>();
  Episode& e = *s.episode;
  Alert& alert = e.alert;
  alert.stream = name(context, index);
  alert.utc_offset_ns = context.info.utc_offset_ns;
  alert.threshold = to_bits(data_.threshold.value);
  e.largest = s.window.mean();
  alert.score = to_bits(e.largest);
  alert.p_value = model::p_value(data_.calibration, e.largest);
  alert.lost = stats_.lost.all();
  std::vector<const Record*> window;
  s.each_record([&](const Record& r) {
    window.push_back(&r);
    alert.sequence.push_back(seen(r.seen));
  });
  window.erase(window.begin(), begin_of(window, data_.threshold.value));
  alert.first_event = window.front()->event;
  alert.first_time = window.front()->time;
  alert.alarm_event = alert.last_event = window.back()->event;
  alert.alarm_time = alert.last_time = window.back()->time;
  alert.events = e.events = window.size();
  alert.id = iovm::format("{}-{}-{}", alert.stream.trace_id.substr(0, 8), alert.first_event, index);
  for (const Record* r : window) {
    e.count(r->process, 1);
    alert.sequence.push_back(model::is_unknown(r->seen) ? model::Operation{}
                                                        : tokenizer_.alphabet().operation(r->seen));
  }
  // The most surprising ones, told in the order in which they happened.
  std::ranges::stable_sort(window, std::greater<>(), [](const Record* r) { return r->bits; });
  window.resize(std::min(window.size(), kMaxSteps));
  std::ranges::sort(window, {}, [](const Record* r) { return r->event; });
  for (const Record* r : window) alert.steps.push_back(explain(*r));
  ++s.alerts;
  ++stats_.alerts;
  return sink_.opened(alert);
}

Status Detector::close(const trace::Context& context, Stream& s) {
  std::unique_ptr<Episode> e = std::move(s.episode);
  Alert& alert = e->alert;
  alert.score = to_bits(e->largest);
  alert.p_value = model::p_value(data_.calibration, e->largest);
  alert.lost = stats_.lost.all();
  std::ranges::stable_sort(e->processes, std::greater<>(), [](const auto& p) { return p.second; });
  for (const auto& [process, events] : e->processes) {
    if (alert.actors.size() == kMaxActors) break;
    Actor actor{process, {}, events};
    if (process < context.processes.size()) actor.info = context.processes[process];
    alert.actors.push_back(actor);
  }
  return sink_.closed(alert);
}

Status Detector::finish(const trace::Context& context) {
  for (Stream& s : streams_) {
    if (!s.episode) continue;
    if (auto ok = close(context, s); !ok) return ok;
  }
  return {};
}

model::Operation Detector::seen(model::Symbol symbol) const {
  return model::is_unknown(symbol) ? model::Operation{} : tokenizer_.alphabet().operation(symbol);
}

Step Detector::explain(const Record& record) const {
  Step step;
  step.event = record.event;
  step.time = record.time;
  step.process = record.process;
  step.rip = record.rip;
  step.operation = seen(record.seen);
  step.bits = to_bits(record.bits);
  step.probability = std::exp2(-step.bits);
  switch (record.symbol) {
    case model::kUnknownDevice:
      step.novelty = Novelty::unknown_device;
      break;
    case model::kUnknownRegister:
      step.novelty = Novelty::unknown_access;
      break;
    case model::kUnknownValue:
      step.novelty = Novelty::unknown_value;
      break;
    default:
      step.novelty = record.followed ? Novelty::none : Novelty::new_sequence;
  }
  auto operation = [&](model::Symbol symbol) {
    return model::is_unknown(symbol) ? model::Operation{}
                                     : data_.alphabet[symbol - model::kFirstSymbol];
  };
  for (model::Symbol symbol : model_.context(record.before)) {
    step.context.push_back(operation(symbol));
  }
  step.context_count = model_.context_count(record.before);
  for (const auto& f : model_.followers(record.before, kMaxExpected)) {
    step.expected.push_back({operation(f.symbol), f.probability, f.count});
  }
  return step;
}

StreamName Detector::name(const trace::Context& context, model::StreamIndex index) const {
  const model::StreamMap::Stream& s = map_.streams()[index];
  StreamName out;
  out.trace = trace_;
  out.trace_id = trace::id_text(context.info.id);
  out.vm = s.vm;
  if (s.vm < context.vms.size()) out.vm_name = context.vms[s.vm].name;
  switch (data_.options.stream) {
    case model::StreamKind::device:
      out.device = tokenizer_.devices()[s.part];
      break;
    case model::StreamKind::process:
      out.process = s.part;
      break;
    case model::StreamKind::vcpu:
      out.vcpu = static_cast<std::uint16_t>(s.part);
      break;
    case model::StreamKind::vm:
      break;
  }
  return out;
}

std::vector<StreamScore> Detector::scores(const trace::Context& context) const {
  std::vector<StreamScore> out;
  for (model::StreamIndex i = 0; i < streams_.size(); ++i) {
    const Stream& s = streams_[i];
    double mean = s.scored == 0 ? 0
                                : static_cast<double>(s.bits) / model::kOneBit /
                                      static_cast<double>(s.scored);
    out.push_back({name(context, i), s.events, mean, to_bits(s.max_window), s.alerts});
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
