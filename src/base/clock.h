// SPDX-License-Identifier: Apache-2.0
//
// The two clocks of a recording: events carry CLOCK_MONOTONIC (never jumps, the kernel's tracers
// can all use it); the header of a trace keeps the offset that turns it into UTC.
#pragma once

#include <cstdint>
#include <string>

namespace iovm {

std::uint64_t monotonic_ns();
// UTC minus CLOCK_MONOTONIC, in ns, measured now between two monotonic readings.
std::int64_t utc_offset_ns();
// ISO 8601 with nanoseconds and Z: 2026-01-31T12:00:00.000000001Z.
std::string utc_text(std::int64_t utc_ns);

}  // namespace iovm
