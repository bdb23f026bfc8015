// SPDX-License-Identifier: Apache-2.0
//
// One recording: takes events from a live source and gives them to a sink until something ends it.
// Why it ended is part of the outcome, and so is what was lost; an orderly end always leaves a
// closed sink, whatever the reason. What a sink may not take (a full disk) ends the recording with
// that error; what it had taken before is the sink's to keep.
//
// The session runs in the caller's thread. The StopFlag given to the source ends it from outside.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "record/live.h"
#include "trace/writer.h"

namespace iovm::record {

// When a recording ends by itself, besides the end of its VMs.
struct StopCondition {
  std::optional<std::chrono::nanoseconds> duration;  // what happens later is not in the trace
  std::optional<std::uint64_t> max_events;           // losses do not count
};

enum class EndReason : std::uint8_t { stopped, duration, max_events, vms_gone };
std::string_view describe(EndReason reason);  // "stopped", "all its VMs have ended", ...

struct Progress {
  std::chrono::nanoseconds elapsed{0};
  std::uint64_t events = 0;
  trace::LossTotals lost;
  std::uint64_t bytes = 0;
  std::size_t running = 0;  // VMs
};

class RecordSession {
 public:
  RecordSession(LiveSource& source, const StopFlag& stop, trace::TraceWriter& writer,
                StopCondition condition)
      : source_(&source), stop_(&stop), writer_(&writer), condition_(condition) {}

  // Called a few times a second while recording.
  using Watcher = std::function<void(const Progress&)>;
  Result<EndReason> run(const Watcher& watcher);

 private:
  Result<bool> step();
  void set_deadline(std::uint64_t first);
  std::span<const trace::Event> up_to_limit(std::span<const trace::Event> events);
  std::span<const trace::Event> up_to_deadline(std::span<const trace::Event> events);
  Progress progress() const;

  LiveSource* source_;
  const StopFlag* stop_;
  trace::TraceWriter* writer_;
  StopCondition condition_;
  std::uint64_t began_ = 0;
  std::uint64_t deadline_ = ~std::uint64_t{0};  // ns, monotonic
  std::uint64_t taken_ = 0;                     // events, without losses
  std::optional<EndReason> reason_;
  std::vector<trace::Event> late_losses_;
};

}  // namespace iovm::record
