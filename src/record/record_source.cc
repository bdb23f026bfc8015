// SPDX-License-Identifier: Apache-2.0
#include "record/record_source.h"

#include <poll.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "base/clock.h"
#include "record/ring_record.h"

namespace iovm::record {
namespace {

using trace::Event;
using trace::Loss;
using trace::LossCause;

// A batch ends after so many events: it stays in the cache until the writer has it.
constexpr std::size_t kBatch = 4096;
// For the guests of VMs that run already: then the first event has its process.
constexpr std::chrono::seconds kGuestPatience{3};

std::uint32_t slots_for(std::uint64_t bytes) {
  std::uint64_t slots = bytes / sizeof(iovm_record);
  return static_cast<std::uint32_t>(
      std::clamp<std::uint64_t>(slots, 1, static_cast<std::uint64_t>(IOVM_MAX_SLOTS)));
}

}  // namespace

RecordSource::RecordSource(const LiveRequest& request, std::unique_ptr<RingSession> session,
                           const StopFlag& stop, VmTracker tracker)
    : flush_every_(static_cast<std::uint64_t>(request.flush_every.count())),
      stop_(&stop),
      tracker_(std::move(tracker)),
      session_(std::move(session)),
      guests_(request.proc.path, request.guest_profiles, context_, *session_) {
  context_.info = live_trace_info(session_->engine());
}

Result<std::unique_ptr<RecordSource>> RecordSource::open(const LiveRequest& request,
                                                         std::unique_ptr<RingSession> session,
                                                         const StopFlag& stop) {
  auto tracker = VmTracker::create(request.proc, request.vms, request.wait);
  if (!tracker) return std::move(tracker).error();
  std::unique_ptr<RecordSource> source(
      new RecordSource(request, std::move(session), stop, std::move(*tracker)));
  if (auto started = source->start(request); !started) return std::move(started).error();
  return source;
}

Status RecordSource::start(const LiveRequest& request) {
  if (auto added = add_vms(); !added) return added;
  remove_ended_vms();  // in case one ended, and its pid was taken, before the session looked
  see_new_vms();
  guests_.wait_for_first_search(kGuestPatience);
  guests_.refresh();
  bool all = std::ranges::find(request.vms, "all") != request.vms.end();
  if (all || tracker_.waiting()) {
    if (auto added = session_->add_all_vms(); !added) return added;
  }
  auto wake_ms = static_cast<std::uint32_t>(flush_every_ / 1'000'000);
  auto rings = session_->start(slots_for(request.buffer), wake_ms);
  if (!rings) return std::move(rings).error();
  merge_.emplace(std::move(*rings));
  round_began_ = monotonic_ns();
  return {};
}

void RecordSource::see_new_vms() {
  context_.vms = tracker_.vms();
  guests_.see_vms(context_.vms);
}

// In the kernel's filter; and so that the session knows the losses of each vCPU of theirs.
Status RecordSource::add_vms() {
  for (; added_ < tracker_.vms().size(); ++added_) {
    auto pid = static_cast<std::int32_t>(tracker_.vms()[added_].pid);
    if (auto added = session_->add_vm(pid); !added) return added;
    added_live_.push_back(added_);
  }
  return {};
}

// Their pids may be other processes' by now.
void RecordSource::remove_ended_vms() {
  tracker_.check_ends();
  std::erase_if(added_live_, [this](std::size_t vm) {
    if (!tracker_.has_ended(vm)) return false;
    session_->remove_vm(static_cast<std::int32_t>(tracker_.vms()[vm].pid));
    return true;
  });
}

Result<LiveSource::Batch> RecordSource::next_within(std::chrono::nanoseconds patience) {
  std::uint64_t give_up = monotonic_ns() + static_cast<std::uint64_t>(patience.count());
  for (;;) {
    if (state_ == State::in_round || state_ == State::in_last_round) {
      bool more = work_on_round();
      if (!more && state_ == State::in_last_round) {
        auto finished = finish();
        if (!finished) return std::move(finished).error();
        if (*finished) return give(joiner_.take_all(), true);
      } else if (!more) {
        end_round();
      }
      auto ready = joiner_.take(reached_);
      if (!ready.empty()) return give(ready, false);
      // Rounds of nothing but other VMs' records do not keep the caller longer than it asked.
      if (state_ == State::resting && monotonic_ns() >= give_up) return Batch{};
      continue;
    }
    if (state_ == State::ended) return Batch{{}, true};
    if (stop_->stopped() || tracker_.finished()) {
      if (auto begun = begin_end(); !begun) return std::move(begun).error();
      continue;
    }
    // An open load is let go after a while even if nothing else happens.
    bool held = joiner_.waiting() > 0;
    std::uint64_t until = held ? std::min(give_up, round_began_ + flush_every_) : give_up;
    bool woken = wait(until);
    std::uint64_t now = monotonic_ns();
    if (woken || (held && now >= round_began_ + flush_every_)) {
      begin_round(now);
    } else if (now >= give_up) {
      return Batch{};
    }
  }
}

// Until the session wakes us, a VM ends, the recording is stopped, or it is `until`; the first two
// are for a round.
bool RecordSource::wait(std::uint64_t until) {
  polls_.clear();
  polls_.push_back({session_->fd(), POLLIN, 0});
  polls_.push_back({stop_->fd(), POLLIN, 0});
  tracker_.add_polls(polls_);
  std::uint64_t now = monotonic_ns();
  until = std::min(until, tracker_.next_look());
  std::uint64_t ns = until > now ? until - now : 0;
  timespec timeout = {static_cast<time_t>(ns / 1'000'000'000),
                      static_cast<long>(ns % 1'000'000'000)};
  int ready = ::ppoll(polls_.data(), polls_.size(), &timeout, nullptr);
  tracker_.look_for_wanted(monotonic_ns());
  if (ready <= 0) return false;
  if (polls_.front().revents != 0) session_->woken();
  return std::ranges::any_of(polls_, [](const pollfd& p) { return p.revents != 0; });
}

void RecordSource::begin_round(std::uint64_t now) {
  round_began_ = now;
  if (context_.vms.size() != tracker_.vms().size()) see_new_vms();
  guests_.refresh();
  std::uint64_t bound = merge_->begin_round(now);
  if (state_ == State::in_last_round) return;
  reached_ = std::max(reached_, bound);
  state_ = State::in_round;
}

// A batch of the round; false: the round is over.
bool RecordSource::work_on_round() {
  for (std::size_t i = 0; i < kBatch; ++i) {
    const iovm_record* record = merge_->next();
    if (!record) return false;
    if (record->kind == IOVM_LOSS) {
      take_loss(*record);
    } else if (record->kind == IOVM_TASK) {
      take_task(*record);
    } else {
      take(*record);
    }
  }
  return true;
}

void RecordSource::take(const iovm_record& record) {
  ++seen_;
  auto tid = static_cast<std::int32_t>(record.tid);
  const VmTracker::Place& place =
      tracker_.place(static_cast<std::int32_t>(record.tgid), tid, record.time);
  if (!place.ours) {
    ++stats_.foreign;
    return;
  }
  Event event;
  Decoded what = decode_record(record, event);
  std::uint64_t time = in_order(record.time);
  if (what == Decoded::malformed) {
    return add_loss(trace::make_loss(time, place.vm, record.vcpu, {LossCause::source, 1}));
  }
  event.time = time;
  event.vm = place.vm;
  if (place.vm >= context_.vms.size()) see_new_vms();
  event.process = guests_.process_of(place.vm, record);
  joiner_.add(tid, what, event);
}

// The same bytes are a task.
void RecordSource::take_task(const iovm_record& record) {
  const VmTracker::Place& place = tracker_.place(
      static_cast<std::int32_t>(record.tgid), static_cast<std::int32_t>(record.tid), record.time);
  if (place.ours) guests_.take_task(place.vm, std::bit_cast<iovm_task>(record));
}

void RecordSource::take_loss(const iovm_record& record) {
  told_ += record.value;
  std::uint64_t time = in_order(record.time);
  auto tid = static_cast<std::int32_t>(record.tid);
  std::uint16_t vm = trace::kAllVms;
  if (record.tgid != 0) {
    const VmTracker::Place& place =
        tracker_.place(static_cast<std::int32_t>(record.tgid), tid, record.time);
    if (!place.ours) return;
    vm = place.vm;
  }
  std::optional<std::uint16_t> vcpu;
  if (vm != trace::kAllVms && (record.present & IOVM_HAS_VCPU) != 0) vcpu = record.vcpu;
  add_loss(trace::make_loss(time, vm, vcpu, loss_in(record)));
}

std::uint64_t RecordSource::in_order(std::uint64_t time) {
  if (time < last_time_) {
    ++stats_.late;
    return last_time_;
  }
  last_time_ = time;
  return time;
}

void RecordSource::add_loss(const Event& loss) {
  joiner_.add(-1, Decoded::event, loss);
}

void RecordSource::end_round() {
  state_ = State::resting;
  remove_ended_vms();
}

Status RecordSource::begin_end() {
  if (auto stopped = session_->stop(); !stopped) return stopped;
  state_ = State::in_last_round;
  begin_round(RecordMerge::kEverything);
  return {};
}

// Whether that was all: losses that found no room in the rings are there now, for another round.
Result<bool> RecordSource::finish() {
  auto left = session_->flush();
  if (!left) return std::move(left).error();
  begin_round(RecordMerge::kEverything);
  while (work_on_round()) {
  }
  if (*left > 0) return false;
  state_ = State::ended;
  tracker_.check_ends();
  auto totals = session_->totals();
  if (!totals) return std::move(totals).error();
  stats_.fired = totals->records + totals->dropped;
  if (stats_.fired > seen_ + told_) {
    std::uint64_t missing = stats_.fired - seen_ - told_;
    add_loss(trace::make_loss(in_order(monotonic_ns()), trace::kAllVms, std::nullopt,
                              {LossCause::source, missing}));
  }
  return true;
}

LiveSource::Batch RecordSource::give(std::span<const Event> events, bool ended) {
  if (context_.vms.size() != tracker_.vms().size()) see_new_vms();
  // They are recorded already, among all VMs; without this their losses are of any vCPU.
  static_cast<void>(add_vms());
  stats_.count(events);
  return {events, ended};
}

}  // namespace iovm::record
