// SPDX-License-Identifier: Apache-2.0
#include "cli/trace_copy.h"

#include <sys/stat.h>

#include "base/format.h"
#include "base/text.h"

namespace iovm::cli {

Status check_output(const std::string& output, std::span<const std::string> inputs) {
  struct stat out {};
  if (output == "-" || ::stat(output.c_str(), &out) != 0 || !S_ISREG(out.st_mode)) return {};
  for (const std::string& input : inputs) {
    struct stat in {};
    if (input == "-" || ::stat(input.c_str(), &in) != 0) continue;
    if (in.st_dev == out.st_dev && in.st_ino == out.st_ino) {
      return usage_error(format("-o {}: this is the input {}; name another file",
                                escape_terminal(output), escape_terminal(input)));
    }
  }
  return {};
}

Result<std::unique_ptr<UntilStopped>> UntilStopped::create(trace::EventSource& source) {
  std::unique_ptr<UntilStopped> until(new UntilStopped(source));
  auto signals = StopSignals::create([flag = &until->stopped_] { *flag = true; });
  if (!signals) return std::move(signals).error();
  until->signals_.emplace(*std::move(signals));
  return until;
}

Result<std::span<const trace::Event>> UntilStopped::next() {
  if (stopped_) return std::span<const trace::Event>();
  return source_.next();
}

Status copy_trace(trace::EventSource& source, const std::string& output,
                  trace::WriterStats& stats) {
  auto until = UntilStopped::create(source);
  if (!until) return std::move(until).error();
  auto events = (*until)->next();
  if (!events) return std::move(events).error();
  auto writer = trace::TraceWriter::create(output, source.context().info);
  if (!writer) return std::move(writer).error();
  while (!events->empty()) {
    if (auto written = (*writer)->write(source.context(), *events); !written) return written;
    events = (*until)->next();
    if (!events) break;
  }
  // Tables that no event brought along.
  if (auto written = (*writer)->write(source.context(), {}); !written) return written;
  if (auto finished = (*writer)->finish(); !finished) return finished;
  stats = (*writer)->stats();
  if (!events) return std::move(events).error();
  return {};
}

}  // namespace iovm::cli
