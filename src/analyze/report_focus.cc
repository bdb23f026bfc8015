// SPDX-License-Identifier: Apache-2.0
//
// Which alerts the user asked about: by time, process or device.
#include <algorithm>

#include "analyze/report.h"
#include "base/text.h"

namespace iovm::analyze {
namespace {

bool by_process(const ReportAlert& alert, std::string_view wanted) {
  auto pid = parse_signed(wanted);
  return std::ranges::any_of(alert.actors, [&](const ReportActor& actor) {
    if (wanted == "-") return !actor.unknown.empty();
    return actor.unknown.empty() && (actor.comm == wanted || (pid && actor.pid == pid));
  });
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  return out;
}

// An alert of a stream that is not one device's has its devices in its steps.
bool on_device(const ReportAlert& alert, std::string_view wanted) {
  if (alert.device_key == wanted) return true;
  std::string part = lower(wanted);
  auto named = [&part](std::string_view name) {
    return lower(name).find(part) != std::string::npos;
  };
  if (!alert.device.empty()) return named(alert.device);
  return std::ranges::any_of(alert.steps, [&](const ReportStep& step) {
    return named(std::string_view(step.text).substr(0, step.text.find(": ")));
  });
}

std::optional<std::uint64_t> start_of(const Report& report, const ReportAlert& alert) {
  if (alert.evidence) return alert.evidence->start;
  if (report.overview) return report.overview->start;
  return std::nullopt;
}

}  // namespace

Status keep_matching(const EventFilter& filter, Report& report) {
  bool relative = (filter.from && filter.from->relative) || (filter.to && filter.to->relative);
  for (const ReportAlert& alert : report.alerts) {
    if (relative && !start_of(report, alert))
      return usage_error(
          "--from, --to: the recording is not here, so its start is not known; give nanoseconds "
          "of its clock (first_time and last_time of the alerts) instead of +T");
  }
  report.elsewhere = std::erase_if(report.alerts, [&](const ReportAlert& alert) {
    std::uint64_t start = start_of(report, alert).value_or(0);
    if (filter.from && alert.last_time < filter.from->at(start)) return true;
    if (filter.to && alert.first_time >= filter.to->at(start)) return true;
    if (filter.process && !by_process(alert, *filter.process)) return true;
    return filter.device && !on_device(alert, *filter.device);
  });
  return {};
}

}  // namespace iovm::analyze
