// SPDX-License-Identifier: Apache-2.0
//
// Two recordings of one machine, before and after something: which devices, operations on their
// registers and processes are new, which are gone, and which come at another rate. No model is
// needed, and none is made: it is the first look when nobody has one.
//
// A rate is events a second of the recording. It counts as changed when it at least doubled or
// halved, and the counts are too far apart to be chance (their logarithms by more than kDeviations
// standard deviations, as if events came independently; they come in bursts, so take it as a sign).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "analyze/event_filter.h"
#include "base/result.h"
#include "trace/source.h"

namespace iovm::analyze {

inline constexpr double kFactor = 2;
inline constexpr double kDeviations = 4;

enum class ChangeKind : std::uint8_t { is_new, gone, more, less };
std::string_view name_of(ChangeKind kind);  // "new", "gone", "more", "less"

struct Change {
  ChangeKind kind = ChangeKind::is_new;
  std::string what;  // raw
  std::uint64_t before = 0;
  std::uint64_t after = 0;
  double rate_before = 0;  // events a second
  double rate_after = 0;
};

struct ComparedSide {
  std::string path;
  std::string id;
  std::vector<std::string> vms;  // names
  std::uint64_t events = 0;
  std::uint64_t lost = 0;  // also of what the filter hides
  std::uint64_t duration_ns = 0;
};

// One kind of thing: what changed, and how many did not.
struct ChangeList {
  std::vector<Change> changes;  // new ones, gone ones, then by how much the rate changed
  std::uint64_t left_out = 0;   // beyond kMostChanges
  std::uint64_t same = 0;
  static constexpr std::size_t kMostChanges = 1000;
};

struct Comparison {
  ComparedSide before;
  ComparedSide after;
  ChangeList devices;
  ChangeList operations;
  ChangeList processes;
};

Result<Comparison> compare(const std::string& before, const std::string& after,
                           const EventFilter& filter);
Result<Comparison> compare(trace::EventSource& before, trace::EventSource& after,
                           const EventFilter& filter);

std::string render_text(const Comparison& comparison);
std::string render_json(const Comparison& comparison);

}  // namespace iovm::analyze
