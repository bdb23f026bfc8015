// SPDX-License-Identifier: Apache-2.0
#include "analyze/html.h"
#include "base/format.h"
#include "base/text.h"

namespace iovm::analyze {
namespace {

std::string_view severity_word(int severity) {
  return severity >= 90 ? "critical" : severity >= 60 ? "high" : severity >= 35 ? "medium" : "low";
}

void put_row(std::string& out, std::string_view name, std::string_view value) {
  if (!value.empty()) out += format("<div><dt>{}</dt><dd>{}</dd></div>\n", name, value);
}

std::string actor_line(const ReportActor& actor) {
  if (!actor.unknown.empty())
    return format("not known ({}), {} events", html(actor.unknown), actor.events);
  std::string text = format("<b>{}</b>", html(actor.comm));
  if (actor.pid) text += format(" (pid {})", *actor.pid);
  if (!actor.kind.empty()) text += ", " + html(actor.kind);
  text += format(", {} events", actor.events);
  if (!actor.confidence.empty()) text += format(", {} confidence", html(actor.confidence));
  if (!actor.how.empty()) text += format(" ({})", html(actor.how));
  return text;
}

std::string who(const ReportAlert& alert) {
  std::string text;
  for (const ReportActor& actor : alert.actors) {
    text += (text.empty() ? "" : "<br>") + actor_line(actor);
  }
  if (!alert.evidence) return text;
  std::string spaces;
  for (std::uint64_t cr3 : alert.evidence->address_spaces) {
    spaces += format("{}<code>0x{:x}</code>", spaces.empty() ? "" : ", ", cr3);
  }
  return spaces.empty() ? text : text + "<br>address space (CR3) " + spaces;
}

std::string lost(const ReportAlert& alert) {
  std::string text = format("{} events until then", alert.lost);
  if (!alert.evidence) return text;
  if (alert.evidence->losses_near == 0)
    return text + format(", none within {} events of it", Evidence::kNear);
  return text + format(", {} of them within {} events of it: parts of it may be missing",
                       alert.evidence->lost_near, Evidence::kNear);
}

// As text: a page that loads nothing leads nowhere either.
std::string sources(const ReportAlert& alert) {
  std::string text;
  if (!alert.known) return text;
  for (const std::string& source : alert.known->references) {
    text += format("<li>{}</li>", html(source));
  }
  return text.empty() ? text : "<ul class=\"sources\">" + text + "</ul>";
}

void put_facts(const ReportAlert& alert, std::string& out) {
  out += "<dl class=\"facts\">\n";
  std::string where = alert.vm.empty() ? "the VM" : "VM " + html(alert.vm);
  if (alert.vcpu) where += format(", vCPU {}", *alert.vcpu);
  if (!alert.device.empty()) where += ", " + html(alert.device);
  put_row(out, "where", where);
  put_row(out, "when",
          format("{} to {}, events {} to {}", time_text(alert, alert.first_time),
                 time_text(alert, alert.last_time), alert.first_event, alert.last_event));
  put_row(out, "who", who(alert));
  put_row(out, "VM stopped", entities(stop_sentence(alert)));
  put_row(out, "score", entities(score_sentence(alert)));
  put_row(out, "code", html(alert.code));
  put_row(out, "volume", html(alert.volume));
  put_row(out, "lost", lost(alert));
  if (alert.technique) put_row(out, "ATT&amp;CK", entities(technique_text(*alert.technique)));
  put_row(out, "sources", sources(alert));
  out += "</dl>\n";
}

void put_normal(const ReportStep& step, std::string_view device, std::string& out) {
  if (step.context.empty() || step.expected.empty()) {
    out += "<p>nothing: training never saw what came just before</p>\n";
    return;
  }
  out += "<ul>\n";
  for (const ReportExpected& expected : step.expected) {
    out += format(
        "<li><span class=\"op\">{}</span><small>{} of {} times, probability {}</small></li>\n",
        html(short_text(expected.text, device)), expected.count, step.context_count,
        probability_text(expected.probability));
  }
  out += "</ul>\n";
}

void put_context(const ReportStep& step, std::string_view device, std::string& out) {
  if (step.context.empty()) return;
  out += format(
      "<details><summary>after {}</summary><ol>\n",
      step.context.size() == 1 ? "this step" : format("these {} steps", step.context.size()));
  for (const std::string& text : step.context)
    out += format("<li>{}</li>\n", html(short_text(text, device)));
  out += "</ol></details>\n";
}

void put_step(const ReportAlert& alert, const ReportStep& step, std::string_view again,
              std::string& out) {
  out += format("<li>\n<p class=\"at\">{}, event {}{}{}</p>\n", time_text(alert, step.time),
                step.event, again,
                step.rip.empty() ? "" : format(", RIP <code>{}</code>", html(step.rip)));
  out += "<div class=\"pair\">\n";
  out += format(
      "<div class=\"did\"><h5>The guest</h5>\n<p class=\"op\">{}</p>\n<small>{}; probability {}, "
      "{:.1f} bits</small></div>\n<div class=\"usual\"><h5>Normal here</h5>\n",
      html(short_text(step.text, alert.device)), html(novelty_text(step)),
      probability_text(step.probability), step.bits);
  put_normal(step, alert.device, out);
  out += "</div>\n</div>\n";
  put_context(step, alert.device, out);
  out += "</li>\n";
}

// "again at 5, 7": the events that repeat a step; gives the step after them.
std::size_t skip_like(const ReportAlert& alert, std::size_t first, std::string& again) {
  std::size_t next = first + 1;
  for (; next < alert.steps.size() && is_like(alert.steps[first], alert.steps[next]); ++next) {
    again += format("{} {}", again.empty() ? " and again at" : ",", alert.steps[next].event);
  }
  return next;
}

// Of a rule: what was done, and nothing to weigh.
void put_matched(const ReportAlert& alert, std::string& out) {
  out +=
      "<h4>The steps of the attack</h4>\n<div class=\"wide\"><table class=\"matched\">\n"
      "<thead><tr><th>when</th><th>event</th><th>the guest</th></tr></thead>\n<tbody>\n";
  for (std::size_t i = 0; i < alert.steps.size();) {
    const ReportStep& step = alert.steps[i];
    std::string again;
    i = skip_like(alert, i, again);
    std::string rip = step.rip.empty() ? "" : format(" <small>RIP {}</small>", html(step.rip));
    out += format("<tr><td>{}</td><td>{}{}</td><td class=\"op\">{}{}</td></tr>\n",
                  time_text(alert, step.time), step.event, again,
                  html(short_text(step.text, alert.device)), rip);
  }
  out += "</tbody></table></div>\n";
}

// Steps that repeat the one before are told as its repetitions.
void put_steps(const ReportAlert& alert, std::string& out) {
  if (alert.steps.empty()) return;
  if (alert.steps.front().novelty == "matched") return put_matched(alert, out);
  out += "<h4>The most abnormal steps</h4>\n<ol class=\"steps\">\n";
  for (std::size_t i = 0; i < alert.steps.size();) {
    const ReportStep& step = alert.steps[i];
    std::string again;
    i = skip_like(alert, i, again);
    put_step(alert, step, again, out);
  }
  out += "</ol>\n";
}

void put_nearest(const ReportAlert& alert, std::string& out) {
  if (!alert.nearest) return;
  out += format(
      "<h4>Beside the nearest normal sequence</h4>\n<p class=\"note\">Training saw the right one "
      "{}. What differs is marked.</p>\n<div class=\"wide\"><table class=\"beside\">\n"
      "<thead><tr><th>The guest</th><th>Normal</th></tr></thead>\n<tbody>\n",
      times_text(alert.nearest->count));
  for (const AlignedStep& step : alert.nearest->steps) {
    out += format("<tr{}><td>{}</td><td>{}</td></tr>\n", step.same() ? "" : " class=\"differs\"",
                  html(short_text(step.seen, alert.device)),
                  html(short_text(step.normal, alert.device)));
  }
  out += "</tbody></table></div>\n";
}

void put_raw(const ReportAlert& alert, std::string& out) {
  out += "<h4>Raw events</h4>\n";
  if (!alert.evidence) {
    out += format("<p class=\"note\">{}</p>\n", html(alert.no_evidence));
    return;
  }
  out +=
      "<p class=\"note\">Marked: the steps above. Number in the recording, time, vCPU, process, "
      "access, value, register; last, where the event's block begins in the file.</p>\n<pre>";
  std::optional<std::uint64_t> last;
  for (const RawEvent& event : alert.evidence->events) {
    if (last && event.number > *last + 1) out += "   ...\n";
    std::string line = format("{:<100} @{}", entities(event.text), event.offset);
    out += event.is_step ? format("<mark>{}</mark>\n", line) : line + "\n";
    last = event.number;
  }
  out += "</pre>\n";
}

// "rule venom, 3 times; "
std::string known_as(const ReportAlert& alert) {
  if (!alert.known) return {};
  std::string times = alert.known->hits > 1 ? format(", {} times", alert.known->hits) : "";
  return format("rule <b>{}</b>{}; ", html(alert.known->id), times);
}

void put_alert(const ReportAlert& alert, std::size_t number, std::string& out) {
  out += format(
      "<article class=\"alert\" id=\"alert-{}\">\n<h3><span class=\"tag {}\">{}</span> {}</h3>\n"
      "<p class=\"id\">{}<code>{}</code></p>\n",
      number, severity_word(alert.severity), severity_word(alert.severity), html(alert.rule),
      known_as(alert), html(alert.id));
  if (alert.known && !alert.known->about.empty())
    out += format("<p class=\"about\">{}</p>\n", html(alert.known->about));
  put_facts(alert, out);
  put_steps(alert, out);
  put_nearest(alert, out);
  put_raw(alert, out);
  out += "</article>\n";
}

void put_others(const Report& report, std::string& out) {
  if (report.alerts.size() <= kToldAlerts) return;
  out +=
      "<h3>More alerts</h3>\n<div class=\"wide\"><table>\n<thead><tr><th>when</th><th>what</th>"
      "<th>device</th><th>score</th><th>id</th></tr></thead>\n<tbody>\n";
  constexpr std::size_t kMostRows = 1000;
  std::size_t end = std::min(report.alerts.size(), kToldAlerts + kMostRows);
  for (std::size_t i = kToldAlerts; i < end; ++i) {
    const ReportAlert& alert = report.alerts[i];
    out += format(
        "<tr><td>{}</td><td>{}</td><td>{}</td><td>{:.1f}</td><td><code>{}</code></td></tr>\n",
        time_text(alert, alert.first_time), html(alert.rule), html(alert.device), alert.score,
        html(alert.id));
  }
  out += "</tbody></table></div>\n";
  std::uint64_t rest = report.alerts.size() - end + report.left_out;
  if (rest > 0) out += format("<p class=\"note\">{} more are not shown.</p>\n", rest);
}

}  // namespace

void put_alerts(const Report& report, std::string& out) {
  if (report.alerts.empty()) return;
  out += "<section id=\"alerts\">\n<h2>What was abnormal</h2>\n";
  for (std::size_t i = 0; i < std::min(report.alerts.size(), kToldAlerts); ++i) {
    put_alert(report.alerts[i], i, out);
  }
  put_others(report, out);
  out += "</section>\n";
}

}  // namespace iovm::analyze
