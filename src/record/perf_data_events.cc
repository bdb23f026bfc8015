// SPDX-License-Identifier: Apache-2.0
#include "record/perf_data_events.h"

#include <algorithm>

#include "record/perf_data_bytes.h"
#include "record/perf_data_format.h"

namespace iovm::record::perf {

Status EventMaker::learn_formats() {
  for (; formats_learned_ < head_.formats.size(); ++formats_learned_) {
    auto added = decoder_.add_format(head_.formats[formats_learned_]);
    if (!added) return std::move(added).error();
  }
  ids_ = decoder_.ids();
  return {};
}

bool EventMaker::is_kvm(const Attr& attr) const {
  return attr.type == kTypeTracepoint &&
         std::find(ids_.begin(), ids_.end(), attr.config) != ids_.end();
}

void EventMaker::look_at(const Record& record) {
  if (record.type == kComm) take_comm(record);
  if (record.type != kSample) return;
  const Attr* attr = head_.attr_of_sample(record.body);
  if (attr == nullptr || !is_kvm(*attr)) return;
  auto sample = parse_sample(attr->layout, record.body);
  if (sample) threads_.note_io(sample->pid.value_or(-1), sample->tid.value_or(-1));
}

bool EventMaker::end_first_pass() {
  threads_.end_first_pass();
  return threads_.needs_ranks();
}

void EventMaker::take(const Record& record) {
  switch (record.type) {
    case kSample:
      return take_sample(record);
    case kComm:
      return take_comm(record);
    case kLost:
      return take_lost(record);
    case kLostSamples:
      return take_lost_samples(record);
    case kFinishedRound:
      return order_.end_of_round();
    default:
      break;
  }
}

// What is missing at the end of the recording stands there.
void EventMaker::end(bool damaged) {
  if (lost_total_ > lost_told_)
    lose(last_time_, {trace::LossCause::ring, lost_total_ - lost_told_});
  if (damaged) lose(last_time_, {trace::LossCause::damaged, 0});
  order_.end();
}

void EventMaker::lose(std::uint64_t time, trace::Loss loss,
                      std::optional<MachineThreads::Place> place) {
  order_.add(-1, Decoded::event,
             trace::make_loss(time, place ? place->vm : trace::kAllVms,
                              place ? place->vcpu : std::nullopt, loss));
}

void EventMaker::take_sample(const Record& record) {
  const Attr* attr = head_.attr_of_sample(record.body);
  if (attr != nullptr && !is_kvm(*attr)) return;
  auto sample = attr == nullptr ? std::nullopt : parse_sample(attr->layout, record.body);
  if (!sample) return lose(last_time_, {trace::LossCause::source, 1});
  std::uint64_t time = sample->time.value_or(last_time_);
  std::int32_t tid = sample->tid.value_or(-1);
  last_time_ = std::max(last_time_, time);
  auto place = threads_.place(sample->pid.value_or(-1), tid, context_);
  trace::Event event;
  Decoded what = place ? decoder_.decode(sample->raw, event) : Decoded::malformed;
  // The attribute says that it is ours: a payload of another tracepoint is none at all.
  if (what == Decoded::malformed || what == Decoded::foreign)
    return lose(time, {trace::LossCause::source, 1}, place);
  event.time = time;
  event.vm = place->vm;
  if (place->vcpu) trace::set_vcpu(event, *place->vcpu);
  order_.add(tid, what, event);
}

// A full ring tells how many of its records are missing, of whichever event and thread.
void EventMaker::take_lost(const Record& record) {
  ByteWalk walk(record.body);
  walk.skip(8);  // id
  auto count = walk.take<std::uint64_t>();
  if (walk.failed() || count == 0) return;
  std::uint64_t time = last_time_;
  if (const Attr* attr = head_.attr_of_trailer(record.body)) {
    auto trailer = parse_trailer(attr->layout, record.body.subspan(16));
    if (trailer && trailer->time) time = *trailer->time;
  }
  lost_told_ += count;
  last_time_ = std::max(last_time_, time);
  lose(time, {trace::LossCause::ring, count});
}

// perf's counters of lost samples, written at its end: they count again what LOST records told, and
// what no LOST record came to tell any more.
void EventMaker::take_lost_samples(const Record& record) {
  if ((record.misc & kMiscLostByBpf) != 0) return;
  ByteWalk walk(record.body);
  auto count = walk.take<std::uint64_t>();
  if (!walk.failed() && lost_total_ <= ~std::uint64_t{0} - count) lost_total_ += count;
}

void EventMaker::take_comm(const Record& record) {
  ByteWalk walk(record.body);
  walk.skip(4);  // pid
  auto tid = walk.take<std::int32_t>();
  std::string_view name = walk.take_text();
  if (!walk.failed()) threads_.comm(tid, name);
}

}  // namespace iovm::record::perf
