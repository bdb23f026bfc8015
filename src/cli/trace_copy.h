// SPDX-License-Identifier: Apache-2.0
//
// What the commands that make files out of traces share: Ctrl-C ends the work with a whole file,
// what was readable before an error is kept, and no input is ever written over.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"
#include "cli/stop_signals.h"
#include "trace/source.h"
#include "trace/writer.h"

namespace iovm::cli {

// An error if writing `output` would destroy one of the inputs.
Status check_output(const std::string& output, std::span<const std::string> inputs);

// A source that ends at the first Ctrl-C, if it has not ended before.
class UntilStopped : public trace::EventSource {
 public:
  // Before other threads start. `source` outlives it.
  static Result<std::unique_ptr<UntilStopped>> create(trace::EventSource& source);

  Result<std::span<const trace::Event>> next() override;
  const trace::Context& context() const override { return source_.context(); }

 private:
  explicit UntilStopped(trace::EventSource& source) : source_(source) {}

  trace::EventSource& source_;
  std::atomic<bool> stopped_ = false;
  std::optional<StopSignals> signals_;
};

// Copies to the end, or to the first Ctrl-C; the output begins once the first events are there. The
// error of the source is told after the file is closed.
Status copy_trace(trace::EventSource& source, const std::string& output, trace::WriterStats& stats);

}  // namespace iovm::cli
