// SPDX-License-Identifier: Apache-2.0
#include "trace/clock_join.h"

#include <algorithm>
#include <numeric>

#include "base/format.h"
#include "base/text.h"

namespace iovm::trace {
namespace {

std::uint64_t distance(std::int64_t a, std::int64_t b) {
  auto difference = static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b);
  return a < b ? 0 - difference : difference;
}

bool is_other_host(const TraceInfo& a, const TraceInfo& b) {
  return !a.host.empty() && !b.host.empty() && a.host != b.host;
}

std::string describe_distance(const TraceInfo& a, const TraceInfo& b) {
  constexpr std::uint64_t kLongest = INT64_MAX;
  std::uint64_t ns = std::min(distance(a.utc_offset_ns, b.utc_offset_ns), kLongest);
  return describe_duration(std::chrono::nanoseconds(ns));
}

// Why `b` may not have the clock of `a`; empty if it has.
std::string difference(const TraceInfo& a, const TraceInfo& b) {
  if (is_other_host(a, b)) {
    return format("they are of the hosts {} and {}", escape_terminal(a.host),
                  escape_terminal(b.host));
  }
  if (a.utc_offset_ns == 0 || b.utc_offset_ns == 0)
    return "whether they have one clock is not known";
  if (distance(a.utc_offset_ns, b.utc_offset_ns) > kOneBoot)
    return format("they are of different boots, {} apart", describe_distance(a, b));
  return {};
}

Status check(std::span<const TraceInfo> infos, std::span<const std::string> names, ClockRule rule) {
  for (std::size_t i = 0; i < infos.size(); ++i) {
    if ((infos[i].source == "sequences") != (infos[0].source == "sequences")) {
      return input_error(format("{}: sequences of numbers and recordings of machines do not mix",
                                escape_terminal(names[i])));
    }
    for (std::size_t j = 0; j < i; ++j) {
      if (infos[i].id != infos[j].id || infos[i].id == TraceInfo().id) continue;
      return usage_error(format("{} and {} are the same recording", escape_terminal(names[j]),
                                escape_terminal(names[i])));
    }
    if (rule == ClockRule::utc && infos[i].utc_offset_ns == 0) {
      return input_error(
          format("{}: its offset to UTC is not known; --clock monotonic takes the "
                 "times as they are",
                 escape_terminal(names[i])));
    }
    std::string why = rule == ClockRule::same ? difference(infos[0], infos[i]) : std::string();
    if (i == 0 || why.empty()) continue;
    return input_error(
        format("{} and {}: {}; --clock utc puts them in the order of UTC, --clock monotonic takes "
               "their times as they are",
               escape_terminal(names[0]), escape_terminal(names[i]), why));
  }
  return {};
}

// What the traces have in common; `otherwise` if they differ.
std::string common(std::span<const TraceInfo> infos, std::string TraceInfo::*field,
                   const std::string& otherwise) {
  bool same = std::all_of(infos.begin(), infos.end(),
                          [&](const TraceInfo& info) { return info.*field == infos[0].*field; });
  return same ? infos[0].*field : otherwise;
}

void join_notes(std::span<const TraceInfo> infos, TraceInfo& out) {
  for (const TraceInfo& info : infos) out.notes.emplace_back("merged from", id_text(info.id));
  for (const TraceInfo& info : infos) {
    for (const auto& note : info.notes) {
      // Columns are those of a file that this is no longer.
      if (note.first == "columns") continue;
      if (std::find(out.notes.begin(), out.notes.end(), note) == out.notes.end())
        out.notes.push_back(note);
    }
  }
}

}  // namespace

Result<JoinedClock> join_clocks(std::span<const TraceInfo> infos,
                                std::span<const std::string> names, ClockRule rule) {
  if (auto fits = check(infos, names, rule); !fits) return std::move(fits).error();
  JoinedClock joined;
  TraceInfo& info = joined.info;
  info.id = random_id();
  info.source = common(infos, &TraceInfo::source, "merged");
  info.tool = common(infos, &TraceInfo::tool, infos[0].tool);
  info.host = common(infos, &TraceInfo::host, "");
  info.kernel = common(infos, &TraceInfo::kernel, "");
  info.utc_offset_ns = infos[0].utc_offset_ns;
  join_notes(infos, info);
  // The clock is that of the earliest boot, so that no time becomes negative.
  auto earliest = std::min_element(infos.begin(), infos.end(), [](const auto& a, const auto& b) {
    return a.utc_offset_ns < b.utc_offset_ns;
  });
  if (rule == ClockRule::utc) info.utc_offset_ns = earliest->utc_offset_ns;
  info.time_resolution_ns = 0;
  for (std::size_t i = 0; i < infos.size(); ++i) {
    bool by_utc = rule == ClockRule::utc;
    std::uint64_t shift = by_utc ? distance(infos[i].utc_offset_ns, info.utc_offset_ns) : 0;
    joined.shifts.push_back(shift);
    info.time_resolution_ns =
        std::gcd(std::gcd(info.time_resolution_ns, infos[i].time_resolution_ns), shift);
    std::string why = i == 0 ? std::string() : difference(infos[0], infos[i]);
    if (why.empty() || !joined.warning.empty()) continue;
    joined.warning = format("{} and {}: {}; the order across them is that of {}",
                            escape_terminal(names[0]), escape_terminal(names[i]), why,
                            by_utc ? "UTC, as right as their clocks were set"
                                   : "times that may have nothing in common");
  }
  return joined;
}

}  // namespace iovm::trace
