// SPDX-License-Identifier: Apache-2.0
#include "cli/detect_run.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "analyze/file_facts.h"
#include "base/format.h"
#include "base/text.h"
#include "cli/damage.h"
#include "cli/in_order.h"
#include "detect/incidents.h"
#include "detect/render.h"
#include "trace/reader.h"

namespace iovm::cli {
namespace {

// "trace.iovm: 16 alerts in 1 incident; 9188 events, 0 lost (...)".
void summary(const std::string& name, const detect::DetectorStats& stats, std::uint64_t incidents) {
  std::string line = format("{}: {}", escape_terminal(name), counted(stats.alerts, "alert"));
  if (stats.alerts > 1) line += " in " + counted(incidents, "incident");
  line += format("; {}\n", analyze::describe_totals(stats.events, stats.lost));
  std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace

// Prints alerts as they come, or keeps what it would print.
class DetectRun::Printer : public detect::AlertSink {
 public:
  Printer(const DetectOptions& options, Stdout* out) : options_(options), out_(out) {}

  Status opened(const detect::Alert& alert) override {
    if (!options_.live || options_.scores) return {};
    return print(alert, detect::Phase::opened);
  }
  Status closed(const detect::Alert& alert) override {
    if (options_.scores) return {};
    return print(alert, options_.live ? detect::Phase::closed : detect::Phase::whole);
  }
  Status scores(const detect::Detector& detector, const trace::Context& context, double threshold) {
    for (const detect::StreamScore& score : detector.scores(context)) {
      text_ += options_.json ? score_json(score, context, threshold)
                             : score_text(score, context, threshold);
    }
    return print();
  }
  std::string take() { return std::move(text_); }

 private:
  Status print(const detect::Alert& alert, detect::Phase phase) {
    text_ += options_.json ? alert_json(alert, phase) : alert_text(alert, phase);
    return print();
  }
  Status print() {
    if (out_ == nullptr) return {};
    out_->text() += std::exchange(text_, {});
    return out_->flush();  // who watches wants to know now
  }

  const DetectOptions& options_;
  Stdout* out_;
  std::string text_;
};

// What became of one recording.
struct DetectRun::Outcome {
  std::optional<Error> error;
  std::string text;  // not printed yet
  detect::DetectorStats stats;
  std::uint64_t incidents = 0;
  std::vector<double> usual;  // scores of sessions without an alarm
  bool ended_early = false;
  std::optional<Error> damage;
};

Status DetectRun::live(trace::EventSource& source) {
  Printer printer(options_, &out_);
  return tell("live", look("live", source, printer));
}

Status DetectRun::traces() {
  const std::vector<std::string>& paths = options_.traces;
  if (paths.size() == 1) {
    Printer printer(options_, &out_);
    return tell(paths[0], look_at(paths[0], printer));
  }
  std::vector<Outcome> outcomes(paths.size());
  std::size_t threads =
      std::min<std::size_t>(paths.size(), options_.threads.value_or(usual_threads(paths.size())));
  return in_order(
      paths.size(), threads,
      [&](std::size_t i) {
        Printer printer(options_, nullptr);
        outcomes[i] = look_at(paths[i], printer);
        outcomes[i].text = printer.take();
      },
      [&](std::size_t i) { return tell(paths[i], std::move(outcomes[i])); });
}

void DetectRun::warn_of_drift() const {
  if (scoring_ == nullptr) return;
  auto drift = scoring_->drift.found();
  if (!drift) return;
  detect_says(format(
      "warning: the scores of the last {} sessions without an alert are higher than those that "
      "the "
      "model was calibrated on (distance {:.2f}, p {:.1g}): its promise may not hold (train "
      "with newer recordings of normal work)",
      drift->sessions, drift->distance, drift->p_value));
}

DetectRun::Outcome DetectRun::look(const std::string& name, trace::EventSource& source,
                                   Printer& printer) const {
  return scoring_ != nullptr ? score(name, source, printer) : match(name, source, printer);
}

// By the model, and by rules where the recording is of a machine.
DetectRun::Outcome DetectRun::score(const std::string& name, trace::EventSource& source,
                                    Printer& printer) const {
  Outcome out;
  const model::ModelData& data = scoring_->data;
  detect::RespondingSink responding = on_alert_.sink(printer);
  detect::Incidents sink(responding);
  detect::Detector detector(scoring_->learned, name, sink);
  detect::RuleWatch watch(rules_.current(), name, true, sink);
  if (data.options.scheme == model::Scheme::devices) detector.watch(watch);
  ReloadingSource reloading(source, rules_, watch);
  if (auto ok = detect::run(reloading, detector); !ok) out.error = ok.error();
  if (!out.error && options_.scores) {
    double threshold = model::to_bits(data.threshold.value);
    if (auto ok = printer.scores(detector, source.context(), threshold); !ok) {
      out.error = ok.error();
    }
  }
  out.stats = detector.stats();
  out.stats.alerts += watch.alerts();
  out.incidents = sink.count();
  out.usual = detector.usual();
  return out;
}

// By rules alone.
DetectRun::Outcome DetectRun::match(const std::string& name, trace::EventSource& source,
                                    Printer& printer) const {
  Outcome out;
  detect::RespondingSink responding = on_alert_.sink(printer);
  detect::Incidents sink(responding);
  detect::RuleRun run(rules_.current(), name, sink);
  ReloadingSource reloading(source, rules_, run.watch());
  if (auto ok = detect::run(reloading, run); !ok) out.error = ok.error();
  out.stats = {run.events(), run.lost(), run.watch().alerts()};
  out.incidents = sink.count();
  return out;
}

DetectRun::Outcome DetectRun::look_at(const std::string& path, Printer& printer) const {
  auto reader = trace::TraceReader::open(path);
  if (!reader) {
    Outcome out;
    out.error = std::move(reader).error();
    return out;
  }
  Outcome out = look(path, **reader, printer);
  if (out.error) out.error = std::move(*out.error).in(escape_terminal(path));
  out.ended_early = (*reader)->ended_early();
  out.damage = damage_error(path, (*reader)->damage(), "the rest was looked at");
  return out;
}

Status DetectRun::tell(const std::string& name, Outcome&& outcome) {
  out_.text() += outcome.text;
  if (auto ok = out_.flush(); !ok) return ok;
  totals_.alerts += outcome.stats.alerts;
  totals_.lost += outcome.stats.lost.all();
  if (!totals_.damage) totals_.damage = std::move(outcome.damage);
  for (double score : outcome.usual) scoring_->drift.add(score);
  if (!options_.quiet && (!outcome.error || outcome.stats.events > 0)) {
    summary(name, outcome.stats, outcome.incidents);
  }
  if (!outcome.error && outcome.ended_early) {
    detect_says(format("{}: was cut short; these are its whole blocks", escape_terminal(name)));
  }
  outcome.text = {};
  if (outcome.error) return std::move(*outcome.error);
  return {};
}

}  // namespace iovm::cli
