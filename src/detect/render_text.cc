// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/clock.h"
#include "base/format.h"
#include "base/text.h"
#include "detect/render.h"

namespace iovm::detect {
namespace {

// Of what has no number in the guest.
std::string_view what_is(trace::ProcessKind kind) {
  switch (kind) {
    case trace::ProcessKind::address_space:
      return "address space";
    case trace::ProcessKind::interrupt:
      return "interrupt";
    default:
      return "process";
  }
}

std::string process_text(std::uint32_t process, const trace::GuestProcess& info) {
  if (process >= trace::kFirstUnknown) {
    return std::string(trace::name_of(static_cast<trace::Unknown>(process)));
  }
  if (info.pid < 0) return iovm::format("{} {}", what_is(info.kind), escape_terminal(info.comm));
  return iovm::format("{} ({})", escape_terminal(info.comm), info.pid);
}

std::string time_text(const Alert& alert, std::uint64_t time) {
  if (alert.utc_offset_ns != 0) {
    return utc_text(static_cast<std::int64_t>(time) + alert.utc_offset_ns);
  }
  return iovm::format("{}.{:09}", time / 1000000000, time % 1000000000);
}

std::string_view unit_of(AlertKind kind) {
  if (kind == AlertKind::volume) return "doublings of what is usual";
  if (kind == AlertKind::code) return "accesses by unknown code";
  if (kind == AlertKind::other_kernel) return "unknown places";
  return kind == AlertKind::session ? "a session's score" : "bits";
}

std::string step_text(const Step& step) {
  if (step.novelty == Novelty::matched) {
    return iovm::format("    {} {}\n", step.event, model::describe(step.operation));
  }
  std::string text =
      iovm::format("    {} {} ({:.1f} bits, {}", step.event, model::describe(step.operation),
                   step.bits, name_of(step.novelty));
  // With nothing known before it all that is left is how frequent things are: no expectation.
  if (!step.expected.empty() && !step.context.empty()) {
    const Expected& e = step.expected.front();
    text += iovm::format("; expected {}, {} of {} times", model::describe(e.operation), e.count,
                         step.context_count);
  }
  return text + ")\n";
}

// A score, or a rule and its first source.
std::string how_sure(const Alert& alert) {
  if (alert.rule) {
    const RuleHit& rule = *alert.rule;
    std::string text = iovm::format("rule {} ({}), {}", rule.id, name_of(rule.severity),
                                    escape_terminal(rule.references.front()));
    if (rule.hits > 1) text += iovm::format(", {} times", rule.hits);
    return text;
  }
  return iovm::format("{:.2f} {} (threshold {:.2f}, p {:.2g})", alert.score, unit_of(alert.kind),
                      alert.threshold, alert.p_value);
}

std::string stop_text(const Alert& alert) {
  std::string resume = resume_of(alert);
  switch (alert.stop) {
    case Stop::none:
      return {};
    case Stop::in_exit:
      return iovm::format(
          "    the VMM is stopped, its devices have not seen this write: {} lets both go on\n",
          resume);
    case Stop::signal:
      return iovm::format("    the VMM is stopped since the alarm: {} lets it go on\n", resume);
    case Stop::monitor:
      return iovm::format(
          "    the VMM was told to stop the guest: {} in its monitor lets it go on\n", resume);
  }
  return {};
}

}  // namespace

std::string describe(const StreamName& stream, const trace::Context* context) {
  std::string text;
  if (stream.device) text = model::describe(*stream.device);
  if (stream.process) {
    bool known = context != nullptr && *stream.process < context->processes.size();
    text += text.empty() ? "" : " by ";
    text += process_text(*stream.process,
                         known ? context->processes[*stream.process] : trace::GuestProcess());
  }
  if (!text.empty()) return text;
  if (stream.vcpu) return iovm::format("vCPU {}", *stream.vcpu);
  return "all devices";
}

std::string alert_text(const Alert& alert, Phase phase) {
  std::string text = time_text(alert, alert.alarm_time);
  text += " " + escape_terminal(alert.stream.trace);
  if (!alert.stream.vm_name.empty()) text += " " + escape_terminal(alert.stream.vm_name);
  std::string what = alert.stream.device ? model::describe(*alert.stream.device) : "";
  if (alert.stream.process && !alert.stream.device) what = alert.actors.empty() ? "process" : "";
  if (alert.stream.vcpu) what = iovm::format("vCPU {}", *alert.stream.vcpu);
  if (!what.empty()) text += " " + what;
  text += iovm::format(": {}{}: {}, events {}-{}", phase == Phase::closed ? "over: " : "",
                       escape_terminal(rule_of(alert)), how_sure(alert), alert.first_event,
                       alert.last_event);
  for (std::size_t i = 0; i < alert.actors.size() && i < 3; ++i) {
    const Actor& actor = alert.actors[i];
    if (actor.process >= trace::kFirstUnknown) continue;
    text += (i == 0 ? ", by " : ", ") + process_text(actor.process, actor.info);
  }
  bool unnamed = alert.actors.empty() || alert.actors.front().process >= trace::kFirstUnknown;
  if (unnamed && !alert.spaces.empty()) {
    text += iovm::format(", by address space 0x{:x}", alert.spaces.front().cr3);
  }
  text += " [" + alert.id + "]";
  if (!alert.incident.empty() && alert.incident != alert.id) {
    text += ", incident " + alert.incident;
  }
  text += "\n";
  if (phase == Phase::closed) return text;
  if (alert.excess) text += "    " + describe(*alert.excess) + "\n";
  if (alert.code) text += "    " + describe(*alert.code) + "\n";
  for (const Step& step : alert.steps) text += step_text(step);
  return text + stop_text(alert);
}

std::string score_text(const StreamScore& score, const trace::Context& context, double threshold) {
  return iovm::format("{:9.3f} {:9.3f} {:9.3f} {:6} {:10}  {}  {}\n", score.session.score,
                      score.max_window, threshold, score.alerts, score.events,
                      escape_terminal(score.name.trace), describe(score.name, &context));
}

}  // namespace iovm::detect
