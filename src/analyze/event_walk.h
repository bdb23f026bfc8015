// SPDX-License-Identifier: Apache-2.0
//
// The events of a trace that a filter lets through, one after the other, with what is known around
// them: what every export goes along. The whole trace is read even if few events are wanted, since
// device names and event numbers are known only to who has seen it from its start.
//
//   for (auto more = walk.read(); more && *more; more = walk.read())
//     while (const ListedEvent* listed = walk.next()) ...
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "analyze/event_filter.h"
#include "analyze/event_labels.h"
#include "analyze/event_listing.h"
#include "base/result.h"
#include "trace/source.h"

namespace iovm::analyze {

class EventWalk {
 public:
  // `labels`: whether devices and registers are wanted, by the filter or by who asks. The source
  // outlives it.
  EventWalk(trace::EventSource& source, EventFilter filter, bool labels,
            std::uint64_t limit = ~std::uint64_t{0})
      : source_(source), matcher_(std::move(filter)), needs_labels_(labels), left_(limit) {}

  // Waits for the next batch. False at the end, or once nothing more can match.
  Result<bool> read();
  // The next match of the batch, good until the following call; none at the end of the batch.
  const ListedEvent* next();

  // Whole once read() was called.
  const trace::Context& context() const { return source_.context(); }

 private:
  trace::EventSource& source_;
  EventMatcher matcher_;
  bool needs_labels_;
  std::uint64_t left_;
  std::optional<EventLabels> labels_;
  std::span<const trace::Event> batch_;
  std::uint64_t number_ = 0;  // of the next event
  std::optional<std::uint64_t> start_;
  EventLabel label_;
  std::optional<ListedEvent> listed_;
};

}  // namespace iovm::analyze
