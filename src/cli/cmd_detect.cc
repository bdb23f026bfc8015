// SPDX-License-Identifier: Apache-2.0
//
// iovm detect: recordings, or running VMs, in; alerts out, by a model of normal work and by rules
// of known attacks, or by the rules alone. Offline and live differ in where the events come from
// and in when an alert is told: offline when its episode is over, live also at once.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "analyze/file_facts.h"
#include "base/format.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/damage.h"
#include "cli/detect_words.h"
#include "cli/in_order.h"
#include "cli/live_rules.h"
#include "cli/on_alert.h"
#include "cli/say.h"
#include "cli/stdout.h"
#include "cli/stop_signals.h"
#include "detect/detector.h"
#include "detect/drift.h"
#include "detect/render.h"
#include "model/model_file.h"
#include "record/live.h"
#include "trace/reader.h"

namespace iovm::cli {
namespace {

constexpr Say say{"iovm detect"};

// Prints alerts as they come, or keeps what it would print.
class Printer : public detect::AlertSink {
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

// What all recordings came to.
struct Totals {
  std::uint64_t alerts = 0;
  std::uint64_t lost = 0;
  std::optional<Error> damage;
};

// What became of one recording.
struct Outcome {
  std::optional<Error> error;
  std::string text;  // not printed yet
  detect::DetectorStats stats;
  std::vector<double> usual;  // scores of sessions without an alarm
  bool ended_early = false;
  std::optional<Error> damage;
};

// The model, ready for use.
struct Scoring {
  explicit Scoring(model::ModelData d)
      : data(std::move(d)), model(data.model()), drift(data.calibration) {}

  model::ModelData data;
  model::Model model;
  detect::Drift drift;
};

// Looks at recordings, any number at a time, and tells of them one after the other.
class Run {
 public:
  // `scoring` may be null.
  Run(const DetectOptions& options, Scoring* scoring, const LiveRules& rules, OnAlert& on_alert)
      : options_(options), scoring_(scoring), rules_(rules), on_alert_(on_alert) {}

  Status live(trace::EventSource& source) {
    Printer printer(options_, &out_);
    return tell("live", look("live", source, printer));
  }
  Status traces() {
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

  const Totals& totals() const { return totals_; }
  void warn_of_drift() const {
    if (scoring_ == nullptr) return;
    auto drift = scoring_->drift.found();
    if (!drift) return;
    say(format(
        "warning: the scores of the last {} sessions without an alert are higher than those that "
        "the "
        "model was calibrated on (distance {:.2f}, p {:.1g}): its promise may not hold (train "
        "with newer recordings of normal work)",
        drift->sessions, drift->distance, drift->p_value));
  }

 private:
  Outcome look(const std::string& name, trace::EventSource& source, Printer& printer) const {
    return scoring_ != nullptr ? score(name, source, printer) : match(name, source, printer);
  }

  // By the model, and by rules where the recording is of a machine.
  Outcome score(const std::string& name, trace::EventSource& source, Printer& printer) const {
    Outcome out;
    const model::ModelData& data = scoring_->data;
    detect::RespondingSink sink = on_alert_.sink(printer);
    detect::Detector detector(data, scoring_->model, name, sink);
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
    for (const detect::StreamScore& score : detector.scores(source.context())) {
      if (score.alerts == 0) out.usual.push_back(score.session.score);
    }
    return out;
  }

  // By rules alone.
  Outcome match(const std::string& name, trace::EventSource& source, Printer& printer) const {
    Outcome out;
    detect::RespondingSink sink = on_alert_.sink(printer);
    detect::RuleRun run(rules_.current(), name, sink);
    ReloadingSource reloading(source, rules_, run.watch());
    if (auto ok = detect::run(reloading, run); !ok) out.error = ok.error();
    out.stats = {run.events(), run.lost(), run.watch().alerts()};
    return out;
  }

  Outcome look_at(const std::string& path, Printer& printer) const {
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

  Status tell(const std::string& name, Outcome&& outcome) {
    out_.text() += outcome.text;
    if (auto ok = out_.flush(); !ok) return ok;
    totals_.alerts += outcome.stats.alerts;
    totals_.lost += outcome.stats.lost.all();
    if (!totals_.damage) totals_.damage = std::move(outcome.damage);
    for (double score : outcome.usual) scoring_->drift.add(score);
    if (!options_.quiet && (!outcome.error || outcome.stats.events > 0)) {
      summary(name, outcome.stats);
    }
    if (!outcome.error && outcome.ended_early) {
      say(format("{}: was cut short; these are its whole blocks", escape_terminal(name)));
    }
    outcome.text = {};
    if (outcome.error) return std::move(*outcome.error);
    return {};
  }

  static void summary(const std::string& name, const detect::DetectorStats& stats) {
    std::string line = format("{}: {} {}; {}\n", escape_terminal(name), stats.alerts,
                              stats.alerts == 1 ? "alert" : "alerts",
                              analyze::describe_totals(stats.events, stats.lost));
    std::fwrite(line.data(), 1, line.size(), stderr);
  }

  const DetectOptions& options_;
  Scoring* scoring_;
  const LiveRules& rules_;
  OnAlert& on_alert_;
  Stdout out_;
  Totals totals_;
};

// What stops VMs in the exit, as long as the source is there.
class Armed {
 public:
  static Result<Armed> create(LiveRules& rules, record::LiveSource& source) {
    auto ok = rules.arm([&source](auto writes) { return source.set_stops(writes); });
    if (!ok) return Error(ok.error());
    return Armed(rules);
  }
  Armed(Armed&& other) noexcept : rules_(std::exchange(other.rules_, nullptr)) {}
  Armed& operator=(Armed&&) = delete;
  ~Armed() {
    if (rules_ != nullptr) rules_->disarm();
  }

 private:
  explicit Armed(LiveRules& rules) : rules_(&rules) {}
  LiveRules* rules_;
};

Status run_live(const DetectOptions& options, LiveRules& rules, OnAlert& on_alert, Run& run) {
  auto stop = record::StopFlag::create();
  if (!stop) return std::move(stop).error();
  auto signals = StopSignals::create([&stop] { stop->stop(); }, [&rules] { rules.reload(); });
  if (!signals) return std::move(signals).error();
  record::LiveRequest request;
  request.vms = options.vms;
  request.wait = options.wait;
  request.buffer = options.buffer;
  request.stops = options.stops;
  if (options.source == "perf") request.engine = record::Engine::perf;
  if (options.source == "bpf") request.engine = record::Engine::bpf;
  if (options.source == "kmod") request.engine = record::Engine::kmod;
  auto source = record::open_live(request, *stop);
  if (!source && options.stops) return std::move(source).error().in("--inline");
  if (!source) return std::move(source).error();
  std::optional<Result<Armed>> armed;
  if (options.stops) armed.emplace(Armed::create(rules, **source));
  if (armed && !*armed) return std::move(*armed).error().in("--inline");
  if (!options.quiet) {
    say(format("source {}; watching {} VMs{}, Ctrl-C ends it", name_of((*source)->engine()),
               (*source)->running(),
               options.stops ? format(", {} rules stop them in the exit", rules.inline_rules())
                             : std::string()));
  }
  RecordedSource recorded(**source, on_alert.recorder());
  Status done = run.live(recorded);
  if (on_alert.recorder() != nullptr) on_alert.recorder()->finish();
  return done;
}

Result<ExitStatus> verdict(const DetectOptions& options, const Totals& totals) {
  if (totals.damage) return *totals.damage;
  if (options.max_loss && totals.lost > *options.max_loss) {
    return Error(Fault::loss,
                 format("{} events were lost, more than --max-loss {}: what happened in them is "
                        "not known (record with a larger --buffer)",
                        totals.lost, *options.max_loss));
  }
  return options.exit_code && totals.alerts > 0 ? ExitStatus::alerts : ExitStatus::done;
}

void warn_of_promise(const std::string& model, const model::Threshold& threshold) {
  if (threshold.supported) return;
  say(
      format("note: the model was trained on too few data to promise {} false alarms (see iovm "
             "info {})",
             model::describe(threshold.promise), escape_terminal(model)));
}

Result<ExitStatus> run_detect(CommandLine& line) {
  DetectOptions options;
  declare(line, options);
  if (auto end = line.parse()) return *end;
  if (auto ok = check_words(options); !ok) return Error(ok.error());
  auto rules = LiveRules::load(options.rules, !options.no_built_in_rules);
  if (!rules) return std::move(rules).error();
  if (options.stops && (*rules)->inline_rules() == 0) {
    return usage_error("--inline: no rule is marked inline (see iovm-rules(5))");
  }
  std::optional<Scoring> scoring;
  if (options.model) {
    auto data = model::read_model(*options.model);
    if (!data) return std::move(data).error();
    if (options.stops && data->options.scheme != model::Scheme::devices) {
      return usage_error("--inline: a model of number sequences knows no rules (leave -m away)");
    }
    scoring.emplace(*std::move(data));
    if (!options.quiet) warn_of_promise(*options.model, scoring->data.threshold);
  }
  auto on_alert = OnAlert::create(options.on_alert, options.flight_recorder, options.live, say);
  if (!on_alert) return std::move(on_alert).error();
  Run run(options, scoring ? &*scoring : nullptr, **rules, **on_alert);
  if (options.live) {
    if (auto ok = run_live(options, **rules, **on_alert, run); !ok) return Error(ok.error());
  }
  if (!options.traces.empty()) {
    if (auto ok = run.traces(); !ok) return Error(ok.error());
  }
  if (!options.quiet) run.warn_of_drift();
  return verdict(options, run.totals());
}

}  // namespace

const Command kDetect{"detect", "find what is not normal, in a recording or live", run_detect};

}  // namespace iovm::cli
