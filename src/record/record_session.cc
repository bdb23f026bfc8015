// SPDX-License-Identifier: Apache-2.0
#include "record/record_session.h"

#include <algorithm>
#include <iterator>

#include "base/clock.h"

namespace iovm::record {
namespace {

using trace::Event;
using trace::EventKind;

constexpr std::uint64_t kTick = 250'000'000;  // ns

}  // namespace

std::string_view describe(EndReason reason) {
  switch (reason) {
    case EndReason::stopped:
      return "stopped";
    case EndReason::duration:
      return "the time is up";
    case EndReason::max_events:
      return "the number of events is reached";
    case EndReason::vms_gone:
      break;
  }
  return "every VM of it has ended";
}

// The events up to the last that is asked for.
std::span<const Event> RecordSession::up_to_limit(std::span<const Event> events) {
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (events[i].kind == EventKind::loss) continue;
    if (condition_.max_events && taken_ == *condition_.max_events) return events.first(i);
    ++taken_;
  }
  return events;
}

// The same by time: on a busy host the session may notice late that its time is up. Losses stay: it
// is not known when what they stand for happened.
std::span<const Event> RecordSession::up_to_deadline(std::span<const Event> events) {
  if (events.empty() || events.back().time < deadline_) return events;
  auto first = std::ranges::lower_bound(events, deadline_, {}, &Event::time);
  auto late = std::span<const Event>(first, events.end());
  late_losses_.clear();
  std::ranges::copy_if(late, std::back_inserter(late_losses_),
                       [](const Event& e) { return e.kind == EventKind::loss; });
  return std::span<const Event>(events.begin(), first);
}

// The source watched before the session began: its first event counts, if that is earlier.
void RecordSession::set_deadline(std::uint64_t first) {
  began_ = std::min(began_, first);
  if (!condition_.duration) return;
  deadline_ = began_ + static_cast<std::uint64_t>(condition_.duration->count());
}

// Whether it goes on.
Result<bool> RecordSession::step() {
  std::uint64_t now = monotonic_ns();
  if (now >= deadline_ && !reason_) {
    reason_ = EndReason::duration;
    stop_->stop();
  }
  std::uint64_t patience = reason_ ? kTick : std::min(kTick, deadline_ - now);
  auto batch = source_->next_within(std::chrono::nanoseconds(patience));
  if (!batch) return std::move(batch).error();
  if (taken_ == 0 && !batch->events.empty()) set_deadline(batch->events.front().time);
  std::span<const Event> events = up_to_limit(up_to_deadline(batch->events));
  for (std::span<const Event> part : {events, std::span<const Event>(late_losses_)}) {
    if (part.empty()) continue;
    auto written = writer_->write(source_->context(), part);
    if (!written) return std::move(written).error();
  }
  late_losses_.clear();
  if (auto ticked = writer_->tick(); !ticked) return std::move(ticked).error();
  if (condition_.max_events && taken_ == *condition_.max_events) {
    reason_ = EndReason::max_events;
    return false;
  }
  return !batch->ended;
}

Progress RecordSession::progress() const {
  const trace::WriterStats& stats = writer_->stats();
  return {std::chrono::nanoseconds(monotonic_ns() - began_), stats.events, stats.lost, stats.bytes,
          source_->running()};
}

Result<EndReason> RecordSession::run(const Watcher& watcher) {
  began_ = monotonic_ns();
  set_deadline(began_);
  for (std::uint64_t told = 0;;) {
    auto more = step();
    if (!more) return std::move(more).error();
    if (!*more) break;
    std::uint64_t now = monotonic_ns();
    if (now - told < kTick) continue;
    told = now;
    watcher(progress());
  }
  if (auto finished = writer_->finish(); !finished) return std::move(finished).error();
  if (reason_) return *reason_;
  return stop_->stopped() ? EndReason::stopped : EndReason::vms_gone;
}

}  // namespace iovm::record
