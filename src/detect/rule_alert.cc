// SPDX-License-Identifier: Apache-2.0
#include "detect/rule_alert.h"

#include <algorithm>
#include <utility>

#include "base/format.h"

namespace iovm::detect {
namespace {

Step step_of(const Mark& mark, const model::Alphabet& alphabet) {
  Step step;
  step.event = mark.event;
  step.time = mark.time;
  step.process = mark.process;
  step.rip = mark.rip;
  step.cr3 = mark.cr3;
  step.novelty = Novelty::matched;
  if (!model::is_unknown(mark.symbol)) step.operation = alphabet.operation(mark.symbol);
  // What was written or got belongs to the evidence, whether or not it belongs to the symbol.
  if ((mark.present & static_cast<unsigned>(trace::Field::value)) != 0 &&
      !step.operation.has(model::Mark::repeated)) {
    step.operation.set(model::Mark::value);
    step.operation.value = mark.value;
  }
  return step;
}

// An access may be both the first and the last of its step.
bool is_again(std::span<const Mark> marks, std::size_t i) {
  return i > 0 && marks[i].event == marks[i - 1].event;
}

}  // namespace

std::uint64_t accesses_of(const Rule& rule) {
  std::uint64_t count = 0;
  for (const RuleStep& step : rule.steps) count += step.count;
  return count;
}

Alert rule_alert(const Rule& rule, const RuleSet& set, std::span<const Mark> marks,
                 const model::Alphabet& alphabet) {
  Alert alert;
  alert.kind = AlertKind::rule;
  alert.rule = RuleHit{rule.id,
                       rule.title,
                       rule.severity,
                       rule.references,
                       rule.technique,
                       rule.parent_technique,
                       set.attack_version,
                       rule.about};
  alert.first_event = marks.front().event;
  alert.first_time = marks.front().time;
  alert.alarm_event = alert.last_event = marks.back().event;
  alert.alarm_time = alert.last_time = marks.back().time;
  alert.events = accesses_of(rule);
  for (const Mark& mark : marks) {
    if (!alert.steps.empty() && alert.steps.back().event == mark.event) continue;
    alert.steps.push_back(step_of(mark, alphabet));
    alert.sequence.push_back(alert.steps.back().operation);
  }
  return alert;
}

std::string rule_alert_id(const Alert& alert) {
  return iovm::format("{}-{}-{}", alert.stream.trace_id.substr(0, 8), alert.first_event,
                      alert.rule->id);
}

RuleEpisode::RuleEpisode(Alert alert) : alert_(std::move(alert)) {
  for (const Step& step : alert_.steps) count(step.process, step.cr3);
}

void RuleEpisode::count(std::uint32_t process, std::uint64_t cr3) {
  processes_.count(process, 1);
  if (cr3 != 0) spaces_.count(cr3, 1);
}

void RuleEpisode::again(std::uint64_t accesses, std::span<const Mark> marks, std::uint64_t time) {
  ++alert_.rule->hits;
  alert_.events += accesses;
  alert_.last_event = marks.back().event;
  alert_.last_time = std::max(alert_.last_time, time);
  for (std::size_t i = 0; i < marks.size(); ++i) {
    if (!is_again(marks, i)) count(marks[i].process, marks[i].cr3);
  }
}

void RuleEpisode::tell_actors(const trace::Context& context) {
  alert_.actors.clear();
  alert_.spaces.clear();
  for (const auto& row : processes_.sorted()) {
    if (alert_.actors.size() == kMaxActors) break;
    Actor actor{row.key, {}, row.events};
    if (row.key < context.processes.size()) actor.info = context.processes[row.key];
    alert_.actors.push_back(std::move(actor));
  }
  for (const auto& row : spaces_.sorted()) {
    if (alert_.spaces.size() == kMaxActors) break;
    alert_.spaces.push_back({row.key, row.events});
  }
}

}  // namespace iovm::detect
