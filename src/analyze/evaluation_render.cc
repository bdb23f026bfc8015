// SPDX-License-Identifier: Apache-2.0
#include "analyze/evaluation.h"
#include "base/format.h"
#include "base/json.h"
#include "base/text.h"

namespace iovm::analyze {
namespace {

std::string auc_text(const Separation& s) {
  if (!s.auc) return "AUC -";
  return format("AUC {:.4f} ({:.4f}-{:.4f})", *s.auc, s.interval.low, s.interval.high);
}

std::string count_text(const Separation& s) {
  return format("{} normal and {} attack sessions", s.normal, s.attack);
}

void put_separation(JsonWriter& json, const Separation& s) {
  json.member("normal", s.normal).member("attack", s.attack).member("auc", s.auc);
  json.key("auc_interval");
  if (!s.auc) {
    json.null();
    return;
  }
  json.begin_array().value(s.interval.low).value(s.interval.high).end_array();
}

std::string attack_text(const AttackRecording& a) {
  std::string text = format("  {}: {}", escape_terminal(a.trace), counted(a.alerts, "alert"));
  if (a.alerts > 0) {
    text += format(", the first after {} events, {:.3f} s", a.alarm_event, a.alarm_seconds);
  }
  return text + "\n";
}

std::string found_text(const AttackGroup& g) {
  auto n = static_cast<double>(g.attacks);
  Interval i = wilson(static_cast<double>(g.found) / n, g.attacks);
  std::string text =
      format("found {} of {} ({:.1f}-{:.1f} %)", g.found, g.attacks, i.low * 100, i.high * 100);
  if (g.found == 0) return text;
  return text + format(", after {:g} {} and {:.3f} s (median)", g.accesses_to_alarm,
                       g.accesses_to_alarm == 1 ? "access" : "accesses", g.seconds_to_alarm);
}

// What is known of each attack by itself, and of those of a name and on a device together.
std::string outcomes_text(const Evaluation& e) {
  std::string text = format("attacks: {}\n", found_text(all_attacks(e.outcomes)));
  for (const AttackOutcome& o : e.outcomes) {
    text += format("  {} in {}, {}{}: ", escape_terminal(o.name), escape_terminal(o.trace),
                   counted(o.accesses, "access", "accesses"),
                   o.device.empty() ? "" : " on " + o.device);
    if (o.found()) {
      text += format("{}, the first after {}, {:.3f} s\n", counted(o.alerts, "alert"),
                     counted(o.to_alarm, "access", "accesses"), o.seconds);
    } else {
      text += o.accesses == 0 ? "no such access in the recording\n" : "not found\n";
    }
  }
  auto groups = [&](std::string_view title, std::string AttackOutcome::*key) {
    std::vector<AttackGroup> all = attack_groups(e.outcomes, key);
    if (all.size() < 2 || all.size() == e.outcomes.size()) return;
    text += format("attacks by {}:\n", title);
    for (const AttackGroup& g : all) {
      text +=
          format("  {}: {}\n", g.name.empty() ? "none" : escape_terminal(g.name), found_text(g));
    }
  };
  groups("name", &AttackOutcome::name);
  groups("device", &AttackOutcome::device);
  const AlertTally& t = e.tally;
  text += format("alerts in these recordings: {} of attacks, {} false\n", t.attack, t.none);
  if (t.spaced == 0) return text;
  return text +
         format("alerts that name the attacking address space: {} of {}\n", t.named, t.spaced);
}

void put_group(JsonWriter& json, const AttackGroup& g) {
  Interval i =
      wilson(g.attacks == 0 ? 0 : static_cast<double>(g.found) / static_cast<double>(g.attacks),
             g.attacks);
  json.member("attacks", g.attacks).member("found", g.found);
  json.key("interval").begin_array().value(i.low).value(i.high).end_array();
  std::optional<double> accesses, seconds;
  if (g.found > 0) accesses = g.accesses_to_alarm, seconds = g.seconds_to_alarm;
  json.member("accesses_to_alarm", accesses).member("seconds_to_alarm", seconds);
}

void put_groups(JsonWriter& json, const Evaluation& e, std::string AttackOutcome::*key) {
  json.begin_object();
  for (const AttackGroup& g : attack_groups(e.outcomes, key)) {
    json.key(g.name).begin_object();
    put_group(json, g);
    json.end_object();
  }
  json.end_object();
}

void put_truth(JsonWriter& json, const Evaluation& e) {
  json.key("truth").begin_object();
  put_group(json, all_attacks(e.outcomes));
  json.member("attack_alerts", e.tally.attack).member("false_alerts", e.tally.none);
  json.member("address_space_known", e.tally.spaced).member("address_space_named", e.tally.named);
  json.key("by_name");
  put_groups(json, e, &AttackOutcome::name);
  json.key("by_device");
  put_groups(json, e, &AttackOutcome::device);
  json.key("each").begin_array();
  for (const AttackOutcome& o : e.outcomes) {
    json.begin_object().member("trace", o.trace).member("name", o.name);
    json.member("device", o.device).member("accesses", o.accesses).member("alerts", o.alerts);
    std::optional<std::uint64_t> accesses;
    std::optional<double> seconds;
    if (o.found()) accesses = o.to_alarm, seconds = o.seconds;
    json.member("accesses_to_alarm", accesses).member("seconds_to_alarm", seconds).end_object();
  }
  json.end_array().end_object();
}

constexpr double kLeft = 60, kTop = 30, kSide = 400;

double x_of(double rate) {
  return kLeft + kSide * rate;
}
double y_of(double share) {
  return kTop + kSide * (1 - share);
}

std::string grid() {
  std::string out;
  for (double at : {0.0, 0.2, 0.4, 0.6, 0.8, 1.0}) {
    out += format("<path class=\"g\" d=\"M{:.1f} {:.1f}V{:.1f}M{:.1f} {:.1f}H{:.1f}\"/>\n",
                  x_of(at), y_of(0), y_of(1), x_of(0), y_of(at), x_of(1));
    out += format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{:.1f}</text>\n",
                  x_of(at), y_of(0) + 18, at);
    out += format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{:.1f}</text>\n",
                  x_of(0) - 8, y_of(at) + 4, at);
  }
  return out;
}

}  // namespace

std::string render_text(const Evaluation& e) {
  std::string text = format("{}, {}\n", auc_text(e.all), count_text(e.all));
  for (const Detected& d : e.detected) {
    text += format(
        "detected at {:g} % false alarms: {:.1f} % ({:.1f}-{:.1f}) of attack sessions, threshold "
        "{:.3f}\n",
        d.false_rate * 100, d.share * 100, d.interval.low * 100, d.interval.high * 100,
        d.threshold);
  }
  text += format("normal recordings: {} in {} events\n", counted(e.normal_alerts, "alert"),
                 e.normal_events);
  text += "attack recordings:\n";
  for (const AttackRecording& a : e.attacks) text += attack_text(a);
  if (!e.outcomes.empty()) text += outcomes_text(e);
  if (e.groups.size() < 2) return text;
  std::size_t one_kind = 0;
  text += "by stream:\n";
  for (const auto& [name, s] : e.groups) {
    if (s.auc) text += format("  {}: {}, {}\n", escape_terminal(name), auc_text(s), count_text(s));
    one_kind += s.auc ? 0 : 1;
  }
  if (one_kind > 0) text += format("  and {} with sessions of one kind only\n", one_kind);
  return text;
}

std::string render_json(const Evaluation& e) {
  JsonWriter json;
  json.begin_object();
  put_separation(json, e.all);
  json.key("roc").begin_array();
  for (const RocPoint& p : e.roc) {
    json.begin_array().value(p.false_rate).value(p.detected).end_array();
  }
  json.end_array().key("dr_at").begin_object();
  for (const Detected& d : e.detected) json.member(format("{:g}", d.false_rate), d.share);
  json.end_object().key("dr_interval").begin_object();
  for (const Detected& d : e.detected) {
    json.key(format("{:g}", d.false_rate)).begin_array();
    json.value(d.interval.low).value(d.interval.high).end_array();
  }
  json.end_object().key("threshold_at").begin_object();
  for (const Detected& d : e.detected) json.member(format("{:g}", d.false_rate), d.threshold);
  json.end_object().key("streams").begin_object();
  for (const auto& [name, s] : e.groups) {
    json.key(name).begin_object();
    put_separation(json, s);
    json.end_object();
  }
  json.end_object().member("normal_events", e.normal_events);
  json.member("normal_alerts", e.normal_alerts).key("attacks").begin_array();
  for (const AttackRecording& a : e.attacks) {
    json.begin_object().member("trace", a.trace).member("events", a.events);
    json.member("alerts", a.alerts);
    std::optional<std::uint64_t> event;
    std::optional<double> seconds;
    if (a.alerts > 0) event = a.alarm_event, seconds = a.alarm_seconds;
    json.member("alarm_event", event).member("alarm_seconds", seconds).end_object();
  }
  json.end_array();
  if (!e.outcomes.empty()) put_truth(json, e);
  json.member("lost", e.lost).end_object();
  return json.take() + "\n";
}

std::string render_svg(const Evaluation& e) {
  std::string out =
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"500\" height=\"490\" "
      "font-family=\"sans-serif\" font-size=\"12\">\n"
      "<style>path{fill:none}.g{stroke:#ddd}.d{stroke:#999;stroke-dasharray:4}"
      ".r{stroke:#06c;stroke-width:2}</style>\n"
      "<rect width=\"500\" height=\"490\" fill=\"#fff\"/>\n";
  out += grid();
  out += format("<path class=\"d\" d=\"M{:.1f} {:.1f}L{:.1f} {:.1f}\"/>\n", x_of(0), y_of(0),
                x_of(1), y_of(1));
  std::string path;
  for (const RocPoint& p : e.roc) {
    path +=
        format("{}{:.2f} {:.2f}", path.empty() ? "M" : "L", x_of(p.false_rate), y_of(p.detected));
  }
  if (!path.empty()) out += format("<path class=\"r\" d=\"{}\"/>\n", path);
  out += format("<text x=\"{:.1f}\" y=\"18\" text-anchor=\"middle\">{}, {}</text>\n", x_of(0.5),
                auc_text(e.all), count_text(e.all));
  out += format(
      "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">normal sessions above the "
      "threshold</text>\n",
      x_of(0.5), y_of(0) + 40);
  out += format(
      "<text transform=\"translate(18 {:.1f}) rotate(-90)\" text-anchor=\"middle\">attack sessions "
      "above the threshold</text>\n",
      y_of(0.5));
  return out + "</svg>\n";
}

}  // namespace iovm::analyze
