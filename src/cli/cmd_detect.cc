// SPDX-License-Identifier: Apache-2.0
//
// iovm detect: recordings, or running VMs, in; alerts out, by a model of normal work and by rules
// of known attacks, or by the rules alone. Offline and live differ in where the events come from
// and in when an alert is told: offline when its episode is over, live also at once.
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/format.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/detect_run.h"
#include "cli/stop_signals.h"
#include "model/model_file.h"
#include "record/live.h"

namespace iovm::cli {
namespace {

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

Status run_live(const DetectOptions& options, LiveRules& rules, OnAlert& on_alert, DetectRun& run) {
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
    detect_says(format("source {}; watching {} VMs{}, Ctrl-C ends it", name_of((*source)->engine()),
                       (*source)->running(),
                       options.stops
                           ? format(", {} rules stop them in the exit", rules.inline_rules())
                           : std::string()));
  }
  RecordedSource recorded(**source, on_alert.recorder());
  Status done = run.live(recorded);
  if (on_alert.recorder() != nullptr) on_alert.recorder()->finish();
  return done;
}

Result<ExitStatus> verdict(const DetectOptions& options, const DetectTotals& totals) {
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
  detect_says(
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
  auto on_alert =
      OnAlert::create(options.on_alert, options.flight_recorder, options.live, detect_says);
  if (!on_alert) return std::move(on_alert).error();
  DetectRun run(options, scoring ? &*scoring : nullptr, **rules, **on_alert);
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
