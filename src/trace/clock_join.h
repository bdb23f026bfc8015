// SPDX-License-Identifier: Apache-2.0
//
// Whether the times of several traces can be put in one order, and how. CLOCK_MONOTONIC begins with
// each boot of a host; the header's offset to UTC is the moment of that beginning, so two traces of
// one host with the same offset have the same clock. Where it is another one, only UTC is common to
// both, and UTC can be set: the order across them is then as good as the hosts' clocks were.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "trace/context.h"

namespace iovm::trace {

enum class ClockRule : std::uint8_t {
  same,       // one host, one boot, or refuse
  monotonic,  // take the times as they are: the caller knows that it is one clock
  utc,        // bring them to one clock by their offsets to UTC
};

// Offsets closer than this are one boot's: setting the clock by NTP moves them a little.
inline constexpr std::uint64_t kOneBoot = 1'000'000'000;  // ns

struct JoinedClock {
  TraceInfo info;                     // of the trace that they become
  std::vector<std::uint64_t> shifts;  // ns to add to the times of each
  std::string warning;                // what the order rests on, if that can be wrong
};

// `names`: what the traces are called in messages. At least one trace.
Result<JoinedClock> join_clocks(std::span<const TraceInfo> infos,
                                std::span<const std::string> names, ClockRule rule);

}  // namespace iovm::trace
