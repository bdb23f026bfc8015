// SPDX-License-Identifier: Apache-2.0
//
// --on-alert and --flight-recorder of iovm detect: words to responses (detect/response.h), and the
// live source that the flight recorder listens to.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "detect/flight_recorder.h"
#include "detect/response.h"
#include "record/live.h"

namespace iovm::cli {

class OnAlert {
 public:
  // "exec:COMMAND", "pause", "pause:QMP-SOCKET", "dump", "dump:DIR". All but exec need `live`.
  static Result<std::unique_ptr<OnAlert>> create(const std::vector<std::string>& actions,
                                                 std::optional<std::chrono::nanoseconds> window,
                                                 bool live, const detect::Say& say);

  // What does them, before `next` is told.
  detect::RespondingSink sink(detect::AlertSink& next) { return {next, responses_, live_}; }
  // Of dump; may be null.
  detect::FlightRecorder* recorder() { return recorder_; }

 private:
  OnAlert() = default;
  Status add(const std::string& action, std::optional<std::chrono::nanoseconds> window,
             const detect::Say& say);

  bool live_ = false;
  detect::Workers workers_;
  std::vector<std::unique_ptr<detect::Response>> responses_;
  detect::FlightRecorder* recorder_ = nullptr;
};

// A live source whose events the flight recorder keeps before anybody else sees them.
class RecordedSource : public trace::EventSource {
 public:
  RecordedSource(record::LiveSource& source, detect::FlightRecorder* recorder)
      : source_(source), recorder_(recorder) {}

  Result<std::span<const trace::Event>> next() override;
  const trace::Context& context() const override { return source_.context(); }

 private:
  record::LiveSource& source_;
  detect::FlightRecorder* recorder_;
};

}  // namespace iovm::cli
