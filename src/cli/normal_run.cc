// SPDX-License-Identifier: Apache-2.0
#include "cli/normal_run.h"

#include "base/text.h"
#include "cli/timed_source.h"
#include "detect/detector.h"
#include "trace/reader.h"

namespace iovm::cli {

Result<NormalRun> look_over(const std::string& trace, const detect::Learned& learned) {
  auto reader = trace::TraceReader::open(trace);
  if (!reader) return std::move(reader).error();
  detect::Nobody nobody;
  detect::Detector detector(learned, trace, nobody);
  Timed source(**reader);
  if (auto ok = detect::run(source, detector); !ok) {
    return Error(ok.error()).in(escape_terminal(trace));
  }
  NormalRun run{detector.stats().alerts, detector.stats().events, 0, source.duration_ns()};
  for (const detect::StreamScore& score : detector.scores(source.context())) {
    run.sessions += score.events > 0 ? 1 : 0;
  }
  return run;
}

}  // namespace iovm::cli
