// SPDX-License-Identifier: Apache-2.0
#include "cli/normal_run.h"

#include <algorithm>

#include "base/text.h"
#include "cli/damage.h"
#include "detect/detector.h"
#include "trace/reader.h"

namespace iovm::cli {
namespace {

class Nobody : public detect::AlertSink {
  Status closed(const detect::Alert&) override { return {}; }
};

}  // namespace

Result<NormalRun> look_over(const std::string& trace, const model::ModelData& data,
                            const model::Model& model) {
  auto reader = trace::TraceReader::open(trace);
  if (!reader) return std::move(reader).error();
  Nobody nobody;
  detect::Detector detector(data, model, trace, nobody);
  std::uint64_t first = 0, last = 0;
  for (bool begun = false;; begun = true) {
    auto batch = (*reader)->next();
    if (!batch) return std::move(batch).error().in(escape_terminal(trace));
    if (batch->empty()) break;
    if (!begun) first = batch->front().time;
    last = std::max(last, batch->back().time);
    if (auto ok = detector.feed((*reader)->context(), *batch); !ok) return Error(ok.error());
  }
  if (auto ok = detector.finish((*reader)->context()); !ok) return Error(ok.error());
  NormalRun run{detector.stats().alerts, detector.stats().events, 0, last - std::min(first, last)};
  for (const detect::StreamScore& score : detector.scores((*reader)->context())) {
    run.sessions += score.events > 0 ? 1 : 0;
  }
  return run;
}

}  // namespace iovm::cli
