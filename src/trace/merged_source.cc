// SPDX-License-Identifier: Apache-2.0
#include "trace/merged_source.h"

#include <algorithm>

namespace iovm::trace {
namespace {

constexpr std::size_t kBatch = 4096;
constexpr std::uint64_t kNever = ~std::uint64_t{0};

}  // namespace

MergedSource::MergedSource(std::vector<Stream> streams, JoinedClock clock)
    : streams_(std::move(streams)), clock_(std::move(clock)), join_(clock_.info) {}

Result<MergedSource> MergedSource::open(std::span<EventSource* const> sources,
                                        std::span<const std::string> names, ClockRule rule) {
  std::vector<Stream> streams;
  std::vector<TraceInfo> infos;
  for (EventSource* source : sources) {
    Stream& stream = streams.emplace_back(Stream{source});
    if (auto filled = fill(stream); !filled) return std::move(filled).error();
    infos.push_back(source->context().info);
  }
  auto clock = join_clocks(infos, names, rule);
  if (!clock) return std::move(clock).error();
  for (std::size_t i = 0; i < streams.size(); ++i) streams[i].shift = clock->shifts[i];
  return MergedSource(std::move(streams), *std::move(clock));
}

Status MergedSource::fill(Stream& stream) {
  if (stream.ended || !stream.events.empty()) return {};
  auto events = stream.source->next();
  if (!events) return std::move(events).error();
  stream.events = *events;
  stream.ended = events->empty();
  return {};
}

Status MergedSource::fill_all() {
  for (Stream& stream : streams_) {
    if (auto filled = fill(stream); !filled) return filled;
  }
  return add_vms();
}

// Of a VM in several sources the layout counts that is from when the first of them began.
Status MergedSource::add_vms() {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < streams_.size(); ++i) order.push_back(i);
  std::ranges::stable_sort(
      order, {}, [this](std::size_t i) { return streams_[i].ended ? kNever : streams_[i].time(); });
  for (std::size_t i : order) {
    if (auto added = join_.add_vms(i, streams_[i].source->context()); !added) return added;
  }
  return {};
}

// The stream whose turn it is, and the time up to which it stays its turn.
std::optional<std::size_t> MergedSource::earliest(std::uint64_t& next_best) const {
  std::optional<std::size_t> best;
  next_best = kNever;
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    if (streams_[i].ended) continue;
    std::uint64_t time = streams_[i].time();
    if (!best || time < streams_[*best].time()) {
      if (best) next_best = streams_[*best].time();
      best = i;
    } else {
      next_best = std::min(next_best, time);
    }
  }
  return best;
}

Result<std::span<const Event>> MergedSource::next() {
  batch_.clear();
  while (!failure_ && batch_.size() < kBatch) {
    if (auto filled = fill_all(); !filled) failure_ = std::move(filled).error();
    std::uint64_t until = kNever;
    auto turn = failure_ ? std::nullopt : earliest(until);
    if (!turn) break;
    Stream& stream = streams_[*turn];
    do {
      Event event = stream.events.front();
      event.time += stream.shift;
      auto added = join_.add(*turn, stream.source->context(), event, batch_);
      if (!added) failure_ = std::move(added).error();
      stream.events = stream.events.subspan(1);
    } while (!failure_ && !stream.events.empty() && stream.time() < until &&
             batch_.size() < kBatch);
  }
  if (batch_.empty() && failure_) return *failure_;
  return std::span<const Event>(batch_);
}

}  // namespace iovm::trace
