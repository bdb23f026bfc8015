// SPDX-License-Identifier: Apache-2.0
//
// How the Detector writes alerts down.
#include <algorithm>
#include <cmath>
#include <tuple>

#include "base/format.h"
#include "detect/detector_stream.h"

namespace iovm::detect {

using model::Bits;
using model::to_bits;

// Where in the window the episode began: from there to its end the scores exceed the threshold the
// most. A lone odd step of last week, still in the window of a quiet stream, is not the beginning.
std::vector<const Record*>::const_iterator Detector::begin_of(
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

Status Detector::open(const trace::Context& context, model::StreamIndex index, AlertKind kind,
                      const model::VolumeWatch::Sight& sight) {
  Stream& s = *streams_[index];
  s.episode = std::make_unique<Episode>();
  Episode& e = *s.episode;
  Alert& alert = e.alert;
  alert.kind = kind;
  alert.stream = name(context, index);
  alert.utc_offset_ns = context.info.utc_offset_ns;
  alert.threshold = to_bits(data_.threshold.value);
  e.largest = s.window.score();
  alert.score = to_bits(e.largest);
  alert.p_value = model::p_value(data_.calibration, e.largest);
  alert.lost = stats_.lost.all();
  std::vector<const Record*> window;
  s.each_record([&](const Record& r) {
    window.push_back(&r);
    alert.sequence.push_back(seen(r.seen));
  });
  if (kind == AlertKind::user_space || kind == AlertKind::volume)
    window.erase(window.begin(), std::prev(window.end()));
  if (kind == AlertKind::other_kernel) window.erase(window.begin(), std::prev(window.end()));
  if (kind == AlertKind::code) {
    window.erase(window.begin(), std::ranges::find(window, true, &Record::strange));
  }
  if (kind == AlertKind::window || kind == AlertKind::unseen) {
    window.erase(window.begin(), begin_of(window, data_.threshold.value));
  }
  alert.first_event = window.front()->event;
  alert.first_time = window.front()->time;
  alert.alarm_event = alert.last_event = window.back()->event;
  alert.alarm_time = alert.last_time = window.back()->time;
  alert.events = e.events = window.size();
  // Of a volume the event that was too much; another alert may begin where the minute does.
  alert.id = iovm::format("{}-{}-{}", alert.stream.trace_id.substr(0, 8), alert.first_event, index);
  for (const Record* r : window) {
    e.count(*r, data_.threshold.value);
  }
  // The most surprising ones, told in the order in which they happened.
  std::ranges::stable_sort(window, std::greater<>(), [](const Record* r) {
    return std::tuple(r->user, r->strange, r->bits);
  });
  window.resize(std::min(window.size(), kMaxSteps));
  std::ranges::sort(window, {}, [](const Record* r) { return r->event; });
  for (const Record* r : window) alert.steps.push_back(explain(*r));
  if (sight.passed != nullptr) blame(context, e, *window.back(), sight);
  if (kind == AlertKind::code) blame_code(e, s);
  if (kind == AlertKind::other_kernel) name_kernel(e);
  ++s.alerts;
  ++stats_.alerts;
  return sink_.opened(alert);
}

Status Detector::close(const trace::Context& context, Stream& s) {
  std::unique_ptr<Episode> e = std::move(s.episode);
  Alert& alert = e->alert;
  bool by_bits = alert.kind != AlertKind::session && alert.kind != AlertKind::volume &&
                 alert.kind != AlertKind::code && alert.kind != AlertKind::other_kernel;
  if (by_bits) {
    alert.score = to_bits(e->largest);
    alert.threshold = to_bits(data_.threshold.value);
    alert.p_value = model::p_value(data_.calibration, e->largest);
  }
  alert.lost = stats_.lost.all();
  for (const auto& row : e->processes.sorted()) {
    if (alert.actors.size() == kMaxActors) break;
    Actor actor{row.key, {}, row.events};
    if (row.key < context.processes.size()) actor.info = context.processes[row.key];
    alert.actors.push_back(actor);
  }
  for (const auto& row : e->spaces.sorted()) {
    if (alert.spaces.size() == kMaxActors) break;
    alert.spaces.push_back({row.key, row.events});
  }
  return sink_.closed(alert);
}

// The episode is, among others, about the stretch that this record brought to its limit.
void Detector::blame(const trace::Context& context, Episode& e, const Record& record,
                     const model::VolumeWatch::Sight& sight) const {
  const model::Stretch& stretch = *sight.passed;
  const model::Amounts& usual = *learned_.norm.most(stretch.kind);
  std::size_t worst = 0;
  double most = 0;
  for (std::size_t i = 0; i < model::kQuantities; ++i) {
    double excess = model::excess(static_cast<model::Quantity>(i), stretch.amounts[i], usual[i]);
    if (excess > most) worst = i, most = excess;
  }
  // Who did most of it stands out among those who only came by.
  constexpr std::uint64_t kWeight = std::uint64_t{1} << 31;
  if (sight.own != nullptr && sight.own->amounts[worst] >= stretch.amounts[worst] / 2) {
    e.processes.weigh(record.process, kWeight);
    if (record.cr3 != 0) e.spaces.weigh(record.cr3, kWeight);
  }
  Alert& alert = e.alert;
  if (alert.excess) return;
  alert.excess = Excess{stretch.kind.whose,         static_cast<model::Quantity>(worst),
                        stretch.amounts[worst],     usual[worst],
                        (*stretch.limits)[worst],   record.time - stretch.first_time,
                        trace::ProcessKind::unknown};
  if (record.process < context.processes.size()) {
    alert.excess->actor = context.processes[record.process].kind;
  }
  if (alert.kind != AlertKind::volume) return;
  alert.first_event = stretch.first_event;
  alert.first_time = stretch.first_time;
  alert.events = e.events = stretch.amounts[0];
  alert.score = most;
  alert.threshold = model::volume_excess(data_.threshold.value, model_.unknown());
  alert.p_value = model::p_value(data_.calibration, model::volume_bits(most, model_.unknown()));
}

Step Detector::explain(const Record& record) const {
  Step step;
  step.event = record.event;
  step.time = record.time;
  step.process = record.process;
  step.rip = record.rip;
  step.cr3 = record.cr3;
  step.operation = seen(record.seen);
  step.bits = to_bits(record.bits);
  step.probability = std::exp2(-step.bits);
  switch (record.symbol) {
    case model::kUnknownDevice:
      step.novelty = Novelty::unknown_device;
      break;
    case model::kUnknownRegister:
      step.novelty = learned_.accesses.in_other_size(step.operation) ? Novelty::unknown_size
                                                                     : Novelty::unknown_access;
      break;
    case model::kUnknownValue:
      step.novelty = Novelty::unknown_value;
      break;
    default:
      step.novelty = !record.followed ? Novelty::new_sequence
                     : record.strange ? Novelty::unknown_code
                                      : Novelty::none;
  }
  auto operation = [&](model::Symbol symbol) {
    return model::is_unknown(symbol) ? model::Operation{}
                                     : data_.alphabet[symbol - model::kFirstSymbol];
  };
  for (model::Symbol symbol : model_.context(record.before)) {
    step.context.push_back(operation(symbol));
  }
  step.context_count = model_.context_count(record.before);
  // After nothing that training knows, the commonest of the machine would follow: of any device.
  bool by_device = data_.options.stream == model::StreamKind::device ||
                   data_.options.stream == model::StreamKind::device_process;
  for (const auto& f : model_.followers(record.before, kMaxExpected)) {
    model::Operation expected = operation(f.symbol);
    if (by_device && expected.device != step.operation.device) continue;
    step.expected.push_back({expected, f.probability, f.count});
  }
  return step;
}

StreamName Detector::name(const trace::Context& context, model::StreamIndex index) const {
  const model::StreamMap::Stream& s = map_.streams()[index];
  StreamName out;
  out.trace = trace_;
  out.trace_id = trace::id_text(context.info.id);
  out.vm = s.vm;
  if (s.vm < context.vms.size()) {
    out.vm_name = context.vms[s.vm].name;
    out.vmm_pid = context.vms[s.vm].pid;
  }
  switch (data_.options.stream) {
    case model::StreamKind::device:
      out.device = devices_[s.part];
      break;
    case model::StreamKind::process:
      out.process = s.part;
      break;
    case model::StreamKind::vcpu:
      out.vcpu = static_cast<std::uint16_t>(s.part);
      break;
    case model::StreamKind::vm:
      break;
    case model::StreamKind::device_process:
      out.device = tokenizer_.devices()[s.part];
      out.process = model::process_of(s.actor);
      break;
  }
  return out;
}

}  // namespace iovm::detect
