// SPDX-License-Identifier: Apache-2.0
//
// Several sources as one, in the order of time: each gives its events in its own order, and the one
// whose next event is the earliest goes first (of equal times, the source that was named first).
// Nothing is sorted within a source: where its vCPUs are a little out of step they stay so.
//
// Losses are events like others and stay where they are. One that touched all VMs of its own
// recording is one of all VMs here: a boundary for more streams than it had to be, for none too
// few.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "trace/clock_join.h"
#include "trace/context_join.h"
#include "trace/source.h"

namespace iovm::trace {

class MergedSource : public EventSource {
 public:
  // Reads the first events of each source: with them come the headers, by which the clocks are
  // joined. The sources outlive it; `names` are for messages.
  static Result<MergedSource> open(std::span<EventSource* const> sources,
                                   std::span<const std::string> names, ClockRule rule);

  Result<std::span<const Event>> next() override;
  const Context& context() const override { return join_.context(); }

  // What the order rests on, if that can be wrong.
  const std::string& warning() const { return clock_.warning; }

 private:
  struct Stream {
    EventSource* source = nullptr;
    std::uint64_t shift = 0;
    std::span<const Event> events = {};  // not given yet
    bool ended = false;

    std::uint64_t time() const { return events.front().time + shift; }
  };

  MergedSource(std::vector<Stream> streams, JoinedClock clock);
  static Status fill(Stream& stream);
  Status add_vms();
  Status fill_all();
  std::optional<std::size_t> earliest(std::uint64_t& next_best) const;

  std::vector<Stream> streams_;
  JoinedClock clock_;
  ContextJoin join_;
  std::vector<Event> batch_;
  std::optional<Error> failure_;  // told once what came before it is given
};

}  // namespace iovm::trace
