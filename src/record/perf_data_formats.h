// SPDX-License-Identifier: Apache-2.0
//
// The "tracing data" that perf.data carries: the format texts of the recorded tracepoints, taken
// from the recording kernel's tracefs, in trace-cmd's layout of old (version 0.5 and 0.6). With
// them a file is decodable on any machine, whatever kernel runs there. Only the system asked for is
// kept.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace iovm::record::perf {

// The format texts of the tracepoints of `system`. A text that the data cut off is an error.
Result<std::vector<std::string>> parse_tracing_data(std::span<const std::byte> data,
                                                    std::string_view system);

}  // namespace iovm::record::perf
