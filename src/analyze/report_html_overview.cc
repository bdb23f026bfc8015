// SPDX-License-Identifier: Apache-2.0
//
// Who and where: the guest's processes, and each device's strip of time. The strips are pictures
// that need no script.
#include <algorithm>
#include <array>
#include <cmath>

#include "analyze/event_listing.h"
#include "analyze/html.h"
#include "base/format.h"
#include "base/text.h"

namespace iovm::analyze {
namespace {

constexpr std::uint32_t kCells = 180;
constexpr unsigned kHot = 6;  // above the threshold; 1 to 5 are shades of how many events

struct Cell {
  std::uint64_t events = 0;
  double surprise = 0;
};
using Strip = std::array<Cell, kCells>;

Strip strip_of(const Lane& lane, const Overview& seen) {
  Strip strip{};
  for (const LanePoint& point : lane.points) {
    Cell& cell = strip[std::uint64_t{point.bucket} * kCells / std::max(seen.buckets, 1U)];
    cell.events += point.events;
    cell.surprise = std::max(cell.surprise, static_cast<double>(point.surprise));
  }
  return strip;
}

unsigned shade(const Cell& cell, double most, double threshold) {
  if (cell.events == 0) return 0;
  if (threshold > 0 && cell.surprise > threshold) return kHot;
  double part = std::log1p(static_cast<double>(cell.events)) / std::log1p(std::max(most, 1.0));
  return std::clamp(static_cast<unsigned>(std::ceil(part * 5)), 1U, 5U);
}

// Cells of one shade that follow one another are one rectangle.
std::string drawn(const Strip& strip, double most, double threshold, std::string_view what) {
  std::string out = format(
      "<svg viewBox=\"0 0 {} 1\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{}\">",
      kCells, what);
  for (std::uint32_t at = 0; at < kCells;) {
    unsigned level = shade(strip[at], most, threshold);
    std::uint32_t end = at + 1;
    while (end < kCells && shade(strip[end], most, threshold) == level) ++end;
    if (level > 0)
      out +=
          format("<rect class=\"h{}\" x=\"{}\" width=\"{}\" height=\"1\"/>", level, at, end - at);
    at = end;
  }
  return out + "</svg>";
}

double threshold_of(const Report& report) {
  return report.learned ? model::to_bits(report.learned->data.threshold.value) : 0;
}

std::string registers_of(const Lane& lane) {
  if (lane.registers.empty()) return {};
  std::string out = "<details><summary>registers</summary><ul>\n";
  for (const RegisterUse& use : lane.registers) {
    out += format("<li>{} <small>{}</small></li>\n", html(use.text), use.events);
  }
  return out + "</ul></details>";
}

void put_losses(const Overview& seen, std::string& out) {
  if (seen.losses.empty()) return;
  std::string svg = format(
      "<svg viewBox=\"0 0 {} 1\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"losses\">",
      kCells);
  std::uint32_t last = kCells;
  for (const LossPoint& point : seen.losses) {
    auto cell = static_cast<std::uint32_t>(std::uint64_t{point.bucket} * kCells /
                                           std::max(seen.buckets, 1U));
    if (cell == last) continue;
    svg += format("<rect class=\"loss\" x=\"{}\" width=\"1\" height=\"1\"/>", cell);
    last = cell;
  }
  out += format("<li><div class=\"lane\"><b>lost events</b> <small>{}</small></div>{}</svg></li>\n",
                seen.lost.all(), svg);
}

// Who did an alert's steps; where the recording does not tell, who did the oddest of it. Others act
// on the same device meanwhile.
bool did_steps(const ReportAlert& alert, const trace::GuestProcess& process) {
  if (alert.evidence && !alert.evidence->step_processes.empty())
    return std::ranges::count(alert.evidence->step_processes, process_text(process)) > 0;
  if (alert.actors.empty()) return false;
  const ReportActor& oddest = alert.actors.front();
  return oddest.pid == process.pid && oddest.comm == process.comm;
}

bool is_culprit(const Report& report, const trace::GuestProcess& process) {
  return std::ranges::any_of(
      report.alerts, [&process](const ReportAlert& alert) { return did_steps(alert, process); });
}

std::string devices_of(const ProcessUse& use, const Overview& seen) {
  std::string out;
  constexpr std::size_t kMost = 5;
  for (std::size_t i = 0; i < std::min(use.devices.size(), kMost); ++i) {
    const ProcessUse::Device& device = use.devices[i];
    out += format("{}{} <small>{}</small>", out.empty() ? "" : ", ",
                  html(seen.lanes[device.lane].device), device.events);
  }
  if (use.devices.size() > kMost) out += format(" and {} more", use.devices.size() - kMost);
  return out;
}

void put_process(const Report& report, const ProcessUse& use, bool thread, std::string& out) {
  const Overview& seen = *report.overview;
  const trace::Context& context = report.recording->context;
  std::string name;
  std::string kind;
  std::string how;
  bool culprit = false;
  if (use.process < context.processes.size()) {
    const trace::GuestProcess& process = context.processes[use.process];
    culprit = is_culprit(report, process);
    name = format("{} <small>{}</small>", html(process.comm), process.pid);
    kind = trace::name_of(process.kind);
    how = format("{} <small>{}</small>", trace::name_of(process.confidence),
                 html(process.how.substr(0, process.how.find(';'))));
  } else {
    name = "not known";
    how = trace::name_of(static_cast<trace::Unknown>(use.process));
  }
  out += format(
      "<tr{}><td{}>{}</td><td>{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>"
      "<td class=\"n\">{}</td><td>{}</td></tr>\n",
      culprit ? " class=\"culprit\"" : "", thread ? " class=\"thread\"" : "", name, kind, how,
      use.reads, use.writes, use.from_user_space, devices_of(use, seen));
}

// Threads come below the leader of their group, where that is known too.
std::vector<std::pair<const ProcessUse*, bool>> as_tree(const Report& report) {
  const auto& uses = report.overview->processes;
  const auto& known = report.recording->context.processes;
  auto info = [&known](const ProcessUse& use) {
    return use.process < known.size() ? &known[use.process] : nullptr;
  };
  std::vector<std::pair<const ProcessUse*, bool>> out;
  std::vector<bool> taken(uses.size());
  for (std::size_t i = 0; i < uses.size(); ++i) {
    if (taken[i]) continue;
    out.emplace_back(&uses[i], false);
    const trace::GuestProcess* leader = info(uses[i]);
    if (leader == nullptr || leader->pid < 0) continue;
    for (std::size_t k = i + 1; k < uses.size(); ++k) {
      const trace::GuestProcess* other = info(uses[k]);
      bool same = other != nullptr && other->vm == leader->vm && other->tgid == leader->tgid &&
                  leader->tgid >= 0 && !taken[k];
      if (!same) continue;
      taken[k] = true;
      out.emplace_back(&uses[k], true);
    }
  }
  return out;
}

}  // namespace

void put_processes(const Report& report, std::string& out) {
  if (!report.overview || !report.recording || report.overview->processes.empty()) return;
  out +=
      "<section id=\"who\">\n<h2>Who did it</h2>\n<div class=\"wide\"><table>\n<thead><tr>"
      "<th>guest process</th><th>kind</th><th>confidence</th><th class=\"n\">reads</th>"
      "<th class=\"n\">writes</th><th class=\"n\">from user space</th><th>devices</th></tr>"
      "</thead>\n<tbody>\n";
  for (const auto& [use, thread] : as_tree(report)) put_process(report, *use, thread, out);
  out += "</tbody></table></div>\n";
  if (report.overview->more_processes > 0)
    out += format("<p class=\"note\">{} more processes are not shown.</p>\n",
                  report.overview->more_processes);
  out += "</section>\n";
}

void put_devices(const Report& report, std::string& out) {
  if (!report.overview || report.overview->lanes.empty()) return;
  const Overview& seen = *report.overview;
  std::vector<Strip> strips;
  double most = 0;
  for (const Lane& lane : seen.lanes) {
    strips.push_back(strip_of(lane, seen));
    for (const Cell& cell : strips.back()) most = std::max(most, static_cast<double>(cell.events));
  }
  auto length = std::chrono::nanoseconds(seen.end - seen.start);
  out += format(
      "<section id=\"devices\">\n<h2>Which devices, and when</h2>\n<p class=\"note\">From left to "
      "right {}. The darker, the more events{}.</p>\n<ul class=\"heat\">\n",
      describe_duration(length),
      seen.scored ? "; <span class=\"hot\">red</span> where the score was above the threshold"
                  : "");
  for (std::size_t i = 0; i < seen.lanes.size(); ++i) {
    const Lane& lane = seen.lanes[i];
    std::string what = format("{}: {} events", html(lane.device), lane.events());
    out +=
        format("<li><div class=\"lane\"><b>{}</b> <small>{} reads, {} writes{}</small>{}</div>{}",
               html(lane.device), lane.reads, lane.writes,
               lane.from_user_space > 0 ? format(", {} from user space", lane.from_user_space) : "",
               registers_of(lane), drawn(strips[i], most, threshold_of(report), what));
    out += "</li>\n";
  }
  put_losses(seen, out);
  out += "</ul>\n</section>\n";
}

}  // namespace iovm::analyze
