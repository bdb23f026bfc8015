// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "analyze/report.h"
#include "base/format.h"
#include "base/text.h"
#include "model/code_place.h"

namespace iovm::analyze {
namespace {

constexpr std::size_t kColumns = 100;

// `text` below and behind `head`, broken at blanks so that no line is longer than kColumns (a word
// that is, stays whole).
std::string wrapped(std::string head, std::string_view text) {
  std::string indent(head.size(), ' ');
  std::string out;
  std::string line = std::move(head);
  bool fresh = true;
  for (std::string_view word : split(text, ' ')) {
    if (!fresh && line.size() + 1 + word.size() > kColumns) {
      out += line + "\n";
      line = indent;
      fresh = true;
    }
    if (!fresh) line += ' ';
    line += word;
    fresh = false;
  }
  return out + line + "\n";
}

std::string labelled(std::string_view label, std::string_view text) {
  return text.empty() ? std::string() : wrapped(format("  {:<9}", label), text);
}

std::string when_text(const ReportAlert& alert) {
  std::string text =
      format("{} to {}", time_text(alert, alert.first_time), time_text(alert, alert.last_time));
  // Without the offset to UTC the time stamp is that of 1970 and says nothing.
  if (!alert.timestamp.empty() && !alert.timestamp.starts_with("1970"))
    text += format(", alarm at {}", escape_terminal(alert.timestamp));
  return text + format("; events {} to {}, {} of this stream, alarm at event {}", alert.first_event,
                       alert.last_event, alert.events, alert.alarm_event);
}

std::string where_text(const ReportAlert& alert) {
  std::string text = alert.vm.empty() ? "the VM" : "VM " + escape_terminal(alert.vm);
  if (alert.vcpu) text += format(", vCPU {}", *alert.vcpu);
  if (!alert.device.empty()) text += ", " + escape_terminal(alert.device);
  return text;
}

std::string actor_text(const ReportActor& actor) {
  if (!actor.unknown.empty())
    return format("process unknown ({}): {} events", escape_terminal(actor.unknown), actor.events);
  // Interrupts and firmware have a name here, but are no process.
  bool nobody = actor.kind == "interrupt" || actor.kind == "firmware";
  std::string text = (nobody ? "" : "process ") + escape_terminal(actor.comm);
  if (actor.pid) text += format(" (pid {})", *actor.pid);
  if (!actor.kind.empty() && actor.kind != "unknown") text += ", " + escape_terminal(actor.kind);
  text += format(": {} events", actor.events);
  if (!actor.confidence.empty())
    text += format(", confidence {} ({})", escape_terminal(actor.confidence),
                   escape_terminal(actor.how));
  return text;
}

std::string code_text(const ReportAlert& alert) {
  std::size_t user = 0;
  std::size_t kernel = 0;
  for (const ReportStep& step : alert.steps) {
    auto rip = parse_unsigned(step.rip);
    if (rip) ++(*rip >> 63 == 0 ? user : kernel);
  }
  if (user + kernel == 0) return "instruction addresses were not recorded";
  std::string text = "code in the " + std::string(user == 0     ? "kernel's half"
                                                  : kernel == 0 ? "user half (or firmware)"
                                                                : "user and the kernel's half");
  for (const ReportStep& step : alert.steps) {
    auto rip = parse_unsigned(step.rip);
    if (!rip) continue;
    text += format(", first RIP {}", escape_terminal(step.rip));
    if (*rip < model::kFirstKernelAddress) return text;
    return text +
           format(" ({})", model::describe(*model::place_of(model::kernel_code(*rip), *rip)));
  }
  return text;
}

std::string address_spaces_text(const ReportAlert& alert) {
  std::string text;
  if (!alert.evidence) return text;
  for (std::uint64_t cr3 : alert.evidence->address_spaces) {
    text += format("{}0x{:x}", text.empty() ? "address space (CR3) " : ", ", cr3);
  }
  return text;
}

std::string lost_text(const ReportAlert& alert) {
  std::string text = format("{} events lost in the recording until then", alert.lost);
  if (!alert.evidence) return text;
  if (alert.evidence->losses_near == 0)
    return text + format("; none within {} events of it", Evidence::kNear);
  return text + format("; {} losses ({} events) within {} events of it: parts of it may be missing",
                       alert.evidence->losses_near, alert.evidence->lost_near, Evidence::kNear);
}

std::string expected_text(const ReportStep& step, std::string_view device) {
  // Behind something unknown all that is left is how frequent things are at all: no expectation.
  if (step.context.empty() || step.expected.empty())
    return "    normal   nothing: training never saw what came just before\n";
  std::string out;
  for (std::size_t i = 0; i < step.expected.size(); ++i) {
    const ReportExpected& expected = step.expected[i];
    out += wrapped(i == 0 ? "    normal   " : "             ",
                   format("{} ({} of {} times, probability {})",
                          escape_terminal(short_text(expected.text, device)), expected.count,
                          step.context_count, probability_text(expected.probability)));
  }
  return out;
}

// Of a rule: it says itself why.
bool is_matched(const ReportStep& step) {
  return step.novelty == "matched";
}

std::string step_text(const ReportAlert& alert, const ReportStep& step) {
  std::string_view device = device_of(step.text);
  std::string out =
      wrapped(format("  event {} ", step.event),
              format("{}  {}", time_text(alert, step.time), escape_terminal(step.text)));
  if (is_matched(step)) return out;
  out += wrapped("    why      ",
                 format("{}: probability {}, {:.1f} bits", escape_terminal(novelty_text(step)),
                        probability_text(step.probability), step.bits));
  std::string context;
  for (const std::string& text : step.context) {
    context += (context.empty() ? "" : "; ") + escape_terminal(short_text(text, device));
  }
  if (!context.empty()) out += wrapped("    after    ", context);
  return out + expected_text(step, device);
}

// Steps that repeat the one before are told as its repetitions.
std::string steps_text(const ReportAlert& alert) {
  std::string out;
  for (std::size_t i = 0; i < alert.steps.size();) {
    out += step_text(alert, alert.steps[i]);
    std::string again;
    std::size_t next = i + 1;
    for (; next < alert.steps.size() && is_like(alert.steps[i], alert.steps[next]); ++next) {
      again += format("{} {}", again.empty() ? "" : ",", alert.steps[next].event);
    }
    if (!again.empty()) out += wrapped("    again    ", "at event" + again);
    i = next;
  }
  return out;
}

// Both sequences as one, the way diff shows two files.
std::string nearest_text(const ReportAlert& alert) {
  if (!alert.nearest) return {};
  std::string out =
      format("\n  the nearest normal sequence, seen {} in training (- the guest, + normal)\n",
             times_text(alert.nearest->count));
  auto line = [&](std::string_view mark, const std::string& text) {
    if (text.empty()) return;
    out += wrapped(format("    {} ", mark), escape_terminal(short_text(text, alert.device)));
  };
  for (const AlignedStep& step : alert.nearest->steps) {
    line(step.same() ? " " : "-", step.seen);
    if (!step.same()) line("+", step.normal);
  }
  return out;
}

std::string raw_text(const ReportAlert& alert) {
  if (!alert.evidence) {
    return alert.no_evidence.empty()
               ? std::string()
               : wrapped("  raw events: ", escape_terminal(alert.no_evidence));
  }
  std::string out = "  raw events (> marks the steps above; iovm dump --events shows more)\n";
  std::optional<std::uint64_t> last;
  for (const RawEvent& event : alert.evidence->events) {
    if (last && event.number > *last + 1) out += "      ...\n";
    std::string line = (event.is_step ? "> " : "  ") + event.text;
    if (line.size() > kColumns) line = line.substr(0, kColumns - 1) + "~";
    out += line + "\n";
    last = event.number;
  }
  return out;
}

// Who did the steps, who else acted on the stream meanwhile, and where the code was.
std::string who_text(const ReportAlert& alert) {
  std::vector<std::string> lines;
  std::string culprits;
  if (alert.evidence) {
    for (const std::string& process : alert.evidence->step_processes) {
      culprits += (culprits.empty() ? "the steps below: " : ", ") + process;
    }
  }
  if (!culprits.empty()) lines.push_back(culprits);
  for (const ReportActor& actor : alert.actors) lines.push_back(actor_text(actor));
  std::string spaces = address_spaces_text(alert);
  lines.push_back(spaces.empty() ? code_text(alert) : spaces + "; " + code_text(alert));
  std::string out;
  for (const std::string& line : lines) out += labelled(out.empty() ? "who" : "", line);
  return out;
}

// The rule behind it, and what it rests on.
std::string known_text(const ReportAlert& alert) {
  std::string out;
  if (alert.known) {
    const ReportRule& rule = *alert.known;
    out += labelled(
        "rule", escape_terminal(rule.id) + (rule.hits > 1 ? format(", {} times", rule.hits) : ""));
    out += labelled("", escape_terminal(rule.about));
    std::string sources;
    for (const std::string& source : rule.references) {
      sources += (sources.empty() ? "" : "; ") + escape_terminal(source);
    }
    out += labelled("sources", sources);
  }
  if (alert.technique) out += labelled("ATT&CK", technique_text(*alert.technique));
  return out;
}

std::string alert_text(const Report& report, std::size_t index) {
  const ReportAlert& alert = report.alerts[index];
  std::string out = wrapped(
      "", format("alert {} of {}: {} (severity {} of 100) [{}]", index + 1, report.alerts.size(),
                 escape_terminal(alert.rule), alert.severity, escape_terminal(alert.id)));
  out += labelled("when", when_text(alert));
  out += labelled("where", where_text(alert));
  if (!alert.incident.empty() && alert.incident != alert.id)
    out += labelled("incident", "that of alert " + escape_terminal(alert.incident));
  out += who_text(alert);
  out += known_text(alert);
  out += labelled("stopped", stop_sentence(alert));
  bool by_rule = std::ranges::any_of(alert.steps, is_matched);
  out += labelled("score", score_sentence(alert));
  if (!alert.code.empty()) out += labelled("code", escape_terminal(alert.code));
  if (!alert.volume.empty()) out += labelled("volume", escape_terminal(alert.volume));
  out += labelled("lost", lost_text(alert));
  out += by_rule ? "\n  the steps of the attack\n" : "\n  the most abnormal steps\n";
  return out + steps_text(alert) + nearest_text(alert) + "\n" + raw_text(alert);
}

// Without a model nobody can say what is abnormal; what happened when can be said.
std::string timeline_text(const Census& census) {
  const Timeline& line = census.timeline;
  if (line.slices().empty()) return {};
  std::uint64_t most = *std::ranges::max_element(line.slices());
  double seconds = static_cast<double>(line.slice_ns()) / 1e9;
  std::string out = format("  events a second, in slices of {}\n",
                           describe_duration(std::chrono::nanoseconds(line.slice_ns())));
  for (std::size_t i = 0; i < line.slices().size(); ++i) {
    constexpr std::uint64_t kBar = 50;
    std::uint64_t count = line.slices()[i];
    out += format("  +{:<10.3f} {:>12.0f}  {}\n", static_cast<double>(i) * seconds,
                  static_cast<double>(count) / seconds,
                  std::string(static_cast<std::size_t>(count * kBar / most), '#'));
  }
  return out;
}

}  // namespace

std::string render_text(const Report& report) {
  bool only_rules = !report.model && report.recording;
  std::string out;
  if (only_rules) {
    out = render_text(*report.recording) + "\n" + timeline_text(report.recording->census) + "\n";
  }
  for (std::size_t i = 0; i < report.alerts.size(); ++i) {
    out += alert_text(report, i) + "\n";
  }
  if (report.left_out > 0)
    out += format("{} more alerts are not told; pick one with --alert\n", report.left_out);
  if (report.alerts.empty()) out += no_alerts(report) + "\n";
  if (only_rules) {
    return out + "Name a model with -m to be told what " + (report.alerts.empty() ? "" : "else ") +
           "is abnormal in it.\n";
  }
  if (report.recording)
    out += describe_totals(report.recording->census.events, report.recording->census.lost) + "\n";
  return out;
}

}  // namespace iovm::analyze
