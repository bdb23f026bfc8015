// SPDX-License-Identifier: Apache-2.0
//
// How much of a recording is known by its guest process, and how: events counted by kind of
// process, confidence and the way it was found; and those of unknown processes by the reason.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "analyze/census.h"
#include "trace/context.h"

namespace iovm::analyze {

struct AttributionShare {
  bool known = false;
  trace::ProcessKind kind = trace::ProcessKind::unknown;
  trace::Confidence confidence = trace::Confidence::none;
  std::string how;  // raw, as the trace has it; of unknown processes the reason
  std::uint64_t events = 0;
};

struct Attribution {
  std::uint64_t attributed = 0;          // events
  std::vector<AttributionShare> shares;  // most events first
};

Attribution attribution_of(const Census& census, const trace::Context& context);

// "user, high confidence (current task)", "unknown: not resolved". Safe on a terminal.
std::string describe(const AttributionShare& share);

}  // namespace iovm::analyze
