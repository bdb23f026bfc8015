// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "analyze/line_reader.h"
#include "analyze/report.h"
#include "base/fd.h"
#include "base/format.h"
#include "base/text.h"

namespace iovm::analyze {
namespace {

constexpr std::size_t kLongestLine = 4U << 20;
constexpr std::size_t kMostParts = 64;  // of each list in an alert

using Json = std::optional<JsonValue>;

Json member(const Json& object, std::string_view name) {
  return object ? object->member(name) : std::nullopt;
}
std::string text_of(const Json& object, std::string_view name) {
  Json value = member(object, name);
  return value ? value->text().value_or("") : std::string();
}
double number_of(const Json& object, std::string_view name) {
  Json value = member(object, name);
  return value ? value->number().value_or(0) : 0;
}
std::uint64_t whole_of(const Json& object, std::string_view name) {
  Json value = member(object, name);
  return value ? value->whole().value_or(0) : 0;
}

// Each entry of a list, as many as an alert can have.
template <typename Take>
void each(const Json& list, Take take) {
  std::size_t size = list ? std::min(list->size(), kMostParts) : 0;
  for (std::size_t i = 0; i < size; ++i) take(Json(list->at(i)));
}

std::vector<std::string> texts_of(const Json& list) {
  std::vector<std::string> texts;
  each(list, [&](const Json& entry) { texts.push_back(entry->text().value_or("")); });
  return texts;
}

ReportStep read_step(const Json& json) {
  ReportStep step;
  step.event = whole_of(json, "event");
  step.time = whole_of(json, "time");
  step.text = text_of(json, "text");
  step.novelty = text_of(json, "novelty");
  step.bits = number_of(json, "bits");
  step.probability = number_of(json, "probability");
  step.rip = text_of(json, "rip");
  step.context = texts_of(member(json, "context"));
  step.context_count = whole_of(json, "context_count");
  each(member(json, "expected"), [&](const Json& entry) {
    step.expected.push_back(
        {text_of(entry, "text"), number_of(entry, "probability"), whole_of(entry, "count")});
  });
  return step;
}

std::optional<std::int64_t> id_of(const Json& json, std::string_view name) {
  Json value = member(json, name);
  auto number = value ? value->whole() : std::nullopt;
  if (!number || *number > INT64_MAX) return std::nullopt;
  return static_cast<std::int64_t>(*number);
}

ReportActor read_actor(const Json& json) {
  ReportActor actor;
  actor.pid = id_of(json, "pid");
  actor.tgid = id_of(json, "tgid");
  actor.comm = text_of(json, "comm");
  actor.kind = text_of(json, "kind");
  actor.confidence = text_of(json, "confidence");
  actor.how = text_of(json, "how");
  actor.unknown = text_of(json, "unknown");
  actor.events = whole_of(json, "events");
  return actor;
}

std::optional<ReportRule> read_rule(const Json& rule, const Json& ours) {
  if (text_of(rule, "id").empty()) return std::nullopt;
  return ReportRule{text_of(rule, "id"), text_of(rule, "description"),
                    texts_of(member(rule, "reference")), whole_of(ours, "hits")};
}

// A technique with a part that is meant more closely has that part's number and name.
std::optional<ReportTechnique> read_technique(const Json& threat) {
  Json technique = member(threat, "technique");
  if (Json part = member(technique, "subtechnique")) technique = part;
  if (text_of(technique, "id").empty()) return std::nullopt;
  return ReportTechnique{text_of(technique, "id"), text_of(technique, "name"),
                         text_of(member(threat, "tactic"), "name")};
}

ReportAlert read_alert(const Json& json, const Json& ours) {
  ReportAlert alert;
  alert.id = text_of(ours, "alert_id");
  alert.kind = text_of(ours, "alert_kind");
  alert.incident = text_of(ours, "incident");
  alert.rule = text_of(member(json, "rule"), "name");
  alert.known = read_rule(member(json, "rule"), ours);
  alert.technique = read_technique(member(json, "threat"));
  alert.stopped = text_of(member(ours, "stopped"), "how");
  alert.resume = text_of(member(ours, "stopped"), "resume");
  alert.timestamp = text_of(json, "@timestamp");
  alert.severity =
      static_cast<int>(std::min<std::uint64_t>(whole_of(member(json, "event"), "severity"), 100));
  alert.trace = text_of(ours, "trace");
  alert.trace_id = text_of(ours, "trace_id");
  alert.vm = text_of(ours, "vm");
  alert.device = text_of(member(ours, "device"), "name");
  alert.device_key = text_of(member(ours, "device"), "key");
  if (Json vcpu = member(ours, "vcpu")) alert.vcpu = vcpu->whole();
  each(member(ours, "processes"),
       [&](const Json& entry) { alert.actors.push_back(read_actor(entry)); });
  Json score = member(ours, "score");
  alert.score = number_of(score, "value");
  alert.threshold = number_of(score, "threshold");
  alert.p_value = number_of(score, "p_value");
  alert.code = text_of(member(ours, "code"), "text");
  alert.volume = text_of(member(ours, "volume"), "text");
  Json window = member(ours, "window");
  alert.first_event = whole_of(window, "first");
  alert.last_event = whole_of(window, "last");
  alert.alarm_event = whole_of(window, "alarm");
  alert.first_time = whole_of(window, "first_time");
  alert.last_time = whole_of(window, "last_time");
  alert.events = whole_of(window, "events");
  alert.lost = whole_of(ours, "lost");
  alert.sequence = texts_of(member(ours, "sequence"));
  alert.sequence_names = texts_of(member(ours, "sequence_names"));
  each(member(ours, "steps"), [&](const Json& entry) { alert.steps.push_back(read_step(entry)); });
  return alert;
}

}  // namespace

Status add_alert(std::string_view json, Report& report) {
  auto parsed = JsonValue::parse(json);
  if (!parsed) return std::move(parsed).error();
  Json whole(*parsed);
  Json ours = member(whole, "iovm");
  if (text_of(ours, "alert_id").empty())
    return input_error(
        "this is no alert: it has no \"iovm\" with an \"alert_id\"; use the output of "
        "iovm detect --json");
  ReportAlert alert = read_alert(whole, ours);
  auto same = [&alert](const ReportAlert& other) { return other.id == alert.id; };
  // Only the last few can still be open.
  constexpr std::ptrdiff_t kBack = 256;
  auto begin = report.alerts.end() - std::min<std::ptrdiff_t>(std::ssize(report.alerts), kBack);
  auto open = std::find_if(begin, report.alerts.end(), same);
  if (open != report.alerts.end()) {
    *open = std::move(alert);
  } else if (report.alerts.size() < Report::kMostAlerts) {
    report.alerts.push_back(std::move(alert));
  } else {
    ++report.left_out;
  }
  return {};
}

Status add_alerts_file(const std::string& path, Report& report) {
  std::string place = escape_terminal(path);
  auto fd = open_for_reading(path);
  if (!fd) return std::move(fd).error();
  LineReader lines(*std::move(fd), kLongestLine);
  for (;;) {
    auto line = lines.next();
    if (!line) return std::move(line).error().in(place);
    if (!*line) break;
    if (trim(**line).empty()) continue;
    auto added = add_alert(**line, report);
    if (!added) return std::move(added).error().in(format("{}: line {}", place, lines.number()));
  }
  if (lines.number() == 0 && path != "-")
    return input_error(
        format("{}: is empty; name a trace, or alerts from iovm detect --json", place));
  return {};
}

}  // namespace iovm::analyze
