// SPDX-License-Identifier: Apache-2.0
#include "record/perf_source.h"

#include <poll.h>

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/format.h"
#include "record/perf_records.h"

namespace iovm::record {
namespace {

using trace::Event;
using trace::Loss;
using trace::LossCause;

// How long a CPU may take from reading the clock for a record to committing it; see perf_merge.h.
constexpr std::uint64_t kMargin = 25'000'000;  // ns
// A batch ends after so many events: it stays in the cache until the writer has it.
constexpr std::size_t kBatch = 4096;
constexpr std::uint64_t kCheckHostEvery = 1'000'000'000;  // ns
constexpr std::uint64_t kNever = ~std::uint64_t{0};
// The kernel takes filters up to a page, and every record of a VM of ours passes through it.
constexpr std::size_t kMostFiltered = 64;

Result<KvmDecoder> decoder_for(const Tracefs& tracefs) {
  KvmDecoder decoder;
  for (std::string_view name : kIoTracepoints) {
    bool needed = name != "kvm_fast_mmio";
    if (!needed && !tracefs.has("kvm", name)) continue;
    auto text = tracefs.format("kvm", name);
    if (!text) return std::move(text).error();
    auto added = decoder.add_format(*text);
    if (!added) return std::move(added).error();
  }
  return decoder;
}

}  // namespace

PerfSource::PerfSource(const LiveRequest& request, const StopFlag& stop, KvmDecoder decoder,
                       VmTracker tracker)
    : ring_bytes_(ring_bytes_for(request.buffer)),
      flush_every_(static_cast<std::uint64_t>(request.flush_every.count())),
      stop_(&stop),
      decoder_(std::move(decoder)),
      ids_(decoder_.ids()),
      tracker_(std::move(tracker)) {
  context_.info = live_trace_info(Engine::perf);
}

Result<std::unique_ptr<PerfSource>> PerfSource::open(const LiveRequest& request,
                                                     const Tracefs& tracefs, const StopFlag& stop) {
  auto decoder = decoder_for(tracefs);
  if (!decoder) return std::move(decoder).error();
  auto tracker = VmTracker::create(request.proc, request.vms, request.wait);
  if (!tracker) return std::move(tracker).error();
  std::unique_ptr<PerfSource> source(
      new PerfSource(request, stop, std::move(*decoder), std::move(*tracker)));
  if (auto opened = source->open_rings(); !opened) return std::move(opened).error();
  source->context_.vms = source->tracker_.vms();
  return source;
}

Status PerfSource::open_rings() {
  raise_descriptor_limit();
  auto online = online_cpus();
  if (!online) return std::move(online).error();
  online_ = std::move(*online);
  for (unsigned cpu : online_) {
    auto added = add_cpu(cpu);
    if (!added) return std::move(added).error();
  }
  if (auto filtered = keep_others_out(); !filtered) return filtered;
  round_began_ = host_checked_ = monotonic_ns();
  for (auto& cpu : cpus_) {
    if (auto enabled = cpu->enable(); !enabled) return enabled;
  }
  return {};
}

// Whether that CPU is there.
Result<bool> PerfSource::add_cpu(unsigned number) {
  auto cpu = PerfCpu::open(number, ids_, ring_bytes_);
  if (!cpu) return std::move(cpu).error();
  if (!*cpu) return false;
  cpus_.push_back(std::make_unique<PerfCpu>(std::move(**cpu)));
  losses_.emplace_back();
  merge_.add(cpus_.back()->ring());
  return true;
}

Status PerfSource::keep_others_out() {
  auto threads = tracker_.foreign_threads();
  if (!threads) return std::move(threads).error();
  if (threads->empty() || threads->size() > kMostFiltered) return {};
  std::string filter;
  for (std::int32_t tid : *threads) {
    filter += format("{}common_pid != {}", filter.empty() ? "" : " && ", tid);
  }
  for (auto& cpu : cpus_) {
    if (auto set = cpu->set_filter(filter); !set) return set;
  }
  filtered_ = std::move(*threads);
  return {};
}

Result<LiveSource::Batch> PerfSource::next_within(std::chrono::nanoseconds patience) {
  std::uint64_t give_up = monotonic_ns() + static_cast<std::uint64_t>(patience.count());
  for (;;) {
    if (state_ == State::in_round || state_ == State::in_last_round) {
      bool more = work_on_round();
      if (!more && state_ == State::in_last_round) {
        finish();
        return give(joiner_.take_all(), true);
      }
      if (!more) end_round();
      auto ready = joiner_.take(reached_);
      if (!ready.empty()) return give(ready, false);
      continue;
    }
    if (state_ == State::ended) return Batch{{}, true};
    if (stop_->stopped() || tracker_.finished()) {
      begin_end();
      continue;
    }
    wait(std::min(give_up, round_began_ + flush_every_));
    std::uint64_t now = monotonic_ns();
    bool woken = std::ranges::any_of(polls_, [](const pollfd& p) { return p.revents != 0; });
    if (woken || now >= round_began_ + flush_every_) {
      begin_round(now - kMargin);
    } else if (now >= give_up) {
      return Batch{};
    }
  }
}

// Until a ring is half full, a VM ends, the recording is stopped, or it is `until`.
void PerfSource::wait(std::uint64_t until) {
  polls_.clear();
  for (const auto& cpu : cpus_) polls_.push_back({cpu->awake() ? cpu->fd() : -1, POLLIN, 0});
  polls_.push_back({stop_->fd(), POLLIN, 0});
  tracker_.add_polls(polls_);
  std::uint64_t now = monotonic_ns();
  until = std::min(until, tracker_.next_look());
  std::uint64_t ns = until > now ? until - now : 0;
  timespec timeout = {static_cast<time_t>(ns / 1'000'000'000),
                      static_cast<long>(ns % 1'000'000'000)};
  if (::ppoll(polls_.data(), polls_.size(), &timeout, nullptr) < 0) {
    for (pollfd& each : polls_) each.revents = 0;  // EINTR: a signal
  }
  tracker_.look_for_wanted(monotonic_ns());
  // A CPU that went offline would report that for ever.
  for (std::size_t i = 0; i < cpus_.size(); ++i) {
    if (polls_[i].revents & (POLLHUP | POLLERR | POLLNVAL)) cpus_[i]->fall_asleep();
  }
}

void PerfSource::begin_round(std::uint64_t bound) {
  round_began_ = monotonic_ns();
  bound_ = bound;
  note_losses();
  merge_.begin_round(bound);
  state_ = State::in_round;
}

// The counts are read only where a ring was about full: each is a call to that CPU.
void PerfSource::note_losses() {
  for (std::size_t i = 0; i < cpus_.size(); ++i) {
    if (!cpus_[i]->ring().may_have_been_full()) continue;
    auto lost = cpus_[i]->totals().lost;
    cpus_[i]->ring().look();
    if (lost) losses_[i].counted(*lost, cpus_[i]->ring().end());
  }
}

// A batch of the round; false: the round is over.
bool PerfSource::work_on_round() {
  for (std::size_t i = 0; i < kBatch; ++i) {
    auto item = merge_.next();
    if (!item) return false;
    if (item->type == PERF_RECORD_SAMPLE) {
      take_sample(*item);
    }
    take_lost(*item);
  }
  return true;
}

// What is missing in front of the item, by a LOST record, or behind it.
void PerfSource::take_lost(const PerfMerge::Item& item) {
  PerfLosses& losses = losses_[item.lane];
  std::uint64_t lost = item.type == PERF_RECORD_LOST ? losses.record(lost_in(item.body)) : 0;
  std::uint64_t after = cpus_[item.lane]->ring().position() + sizeof(perf_event_header);
  lost += losses.reached(after + item.body.size());
  if (lost > 0) add_loss(item.time, {LossCause::ring, lost});
}

void PerfSource::take_sample(const PerfMerge::Item& item) {
  ++seen_;
  auto sample = read_sample(item.body);
  if (!sample) return add_loss(item.time, {LossCause::source, 1});
  const VmTracker::Place& place = tracker_.place(sample->pid, sample->tid, item.time);
  if (!place.ours) {
    ++stats_.foreign;
    return;
  }
  Event event;
  Decoded what = decoder_.decode(sample->raw, event);
  if (what == Decoded::foreign) return;
  if (what == Decoded::malformed) return add_loss(item.time, {LossCause::source, 1});
  event.time = in_order(sample->time);
  event.vm = place.vm;
  if (place.vcpu) set_vcpu(event, *place.vcpu);
  joiner_.add(sample->tid, what, event);
}

std::uint64_t PerfSource::in_order(std::uint64_t time) {
  if (time < last_time_) {
    ++stats_.late;
    return last_time_;
  }
  last_time_ = time;
  reached_ = std::max(reached_, time);
  return time;
}

// A ring does not say whose record found no room: of the only VM, or of any.
void PerfSource::add_loss(std::uint64_t time, Loss loss) {
  std::uint16_t vm = tracker_.vms().size() == 1 && !tracker_.waiting() ? 0 : trace::kAllVms;
  last_time_ = std::max(last_time_, time);
  joiner_.add(-1, Decoded::event, trace::make_loss(last_time_, vm, std::nullopt, loss));
}

void PerfSource::end_round() {
  state_ = State::resting;
  reached_ = std::max(reached_, bound_);
  std::uint64_t now = monotonic_ns();
  tracker_.check_ends();
  if (now - host_checked_ >= kCheckHostEvery) watch_host(now);
}

void PerfSource::watch_host(std::uint64_t now) {
  host_checked_ = now;
  watch_filtered(std::max(last_time_, now - kMargin));
  auto online = online_cpus();
  if (!online) return;
  for (unsigned number : *online) {
    if (std::ranges::find(online_, number) != online_.end()) continue;
    // What it did before this moment is not known. Nor is it later, if it cannot be watched.
    auto added = add_cpu(number);
    if (added && *added) static_cast<void>(cpus_.back()->enable());
    add_loss(std::max(last_time_, now - kMargin), {LossCause::source, 0});
  }
  online_ = std::move(*online);
}

// The number of a thread that was kept out may come round again as a vCPU of ours. The filter of an
// event cannot be changed; but what it hides is not hidden.
void PerfSource::watch_filtered(std::uint64_t time) {
  for (std::int32_t tid : filtered_) {
    if (tracker_.owns(tid)) add_loss(time, {LossCause::source, 0});
  }
}

void PerfSource::begin_end() {
  for (auto& cpu : cpus_) cpu->disable();
  begin_round(kNever);
  state_ = State::in_last_round;
}

// What was lost after the last record that a ring had room for, and the kernel's own count.
void PerfSource::finish() {
  state_ = State::ended;
  tracker_.check_ends();
  std::uint64_t told = 0;
  std::uint64_t untold = 0;
  std::uint64_t torn = 0;
  bool counts_lost = true;
  for (std::size_t i = 0; i < cpus_.size(); ++i) {
    PerfCpu::Totals totals = cpus_[i]->totals();
    stats_.fired += totals.fired;
    std::uint64_t lost = std::max(totals.lost.value_or(0), losses_[i].told());
    told += losses_[i].told();
    untold += lost - losses_[i].told();
    counts_lost = counts_lost && totals.lost.has_value();
    torn += cpus_[i]->ring().torn_bytes();
  }
  std::uint64_t now = monotonic_ns();
  if (untold > 0) add_loss(now, {LossCause::ring, untold});
  std::uint64_t known = seen_ + told + untold;
  if (stats_.fired > known) {
    LossCause cause = counts_lost ? LossCause::source : LossCause::ring;
    add_loss(now, {cause, stats_.fired - known});
  } else if (torn > 0) {
    add_loss(now, {LossCause::source, 0});
  }
}

LiveSource::Batch PerfSource::give(std::span<const Event> events, bool ended) {
  if (context_.vms.size() != tracker_.vms().size()) context_.vms = tracker_.vms();
  stats_.count(events);
  return {events, ended};
}

}  // namespace iovm::record
