// SPDX-License-Identifier: Apache-2.0
//
// iovm detect: a model and recordings, or running VMs, in; alerts out. Offline and live differ in
// where the events come from and in when an alert is told: offline when its episode is over, live
// also at once.
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "analyze/file_facts.h"
#include "base/format.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/damage.h"
#include "cli/stdout.h"
#include "cli/stop_signals.h"
#include "detect/detector.h"
#include "detect/render.h"
#include "model/model_file.h"
#include "record/live.h"
#include "trace/reader.h"

namespace iovm::cli {
namespace {

struct DetectOptions {
  std::string model;
  std::vector<std::string> traces;
  bool live = false;
  std::vector<std::string> vms;
  std::string source = "auto";
  bool wait = false;
  std::uint64_t buffer = 8U << 20;
  bool json = false;
  bool scores = false;
  bool exit_code = false;
  std::optional<std::uint64_t> max_loss;
  bool quiet = false;
};

void declare(CommandLine& line, DetectOptions& options) {
  line.option("-m,--model", options.model, "MODEL", "the model of normal work").required();
  line.positional("TRACE", options.traces, "recordings to look at; - is standard input");
  line.optional();
  line.flag("--live", options.live, "look at running VMs instead of recordings");
  line.option("--vm", options.vms, "NAME|UUID|PID", "with --live: a VM, or all");
  line.choice("--source", options.source, {"auto", "perf", "bpf", "kmod"},
              "with --live: where the events come from");
  line.flag("--wait", options.wait, "with --live: wait for VMs that do not run yet");
  line.size("--buffer", options.buffer, "with --live: kernel buffer of each CPU (8M)");
  line.flag("--json", options.json, "one alert (or score) a line, as JSON");
  line.flag("--scores", options.scores, "print the score of each stream instead of alerts");
  line.flag("--exit-code", options.exit_code, "end with code 1 if there were alerts");
  line.option("--max-loss", options.max_loss, "N",
              "end with code 5 if more than N events were lost");
  line.flag("-q,--quiet", options.quiet, "no summaries");
}

void say(std::string_view text) {
  std::string line = format("iovm detect: {}\n", text);
  std::fwrite(line.data(), 1, line.size(), stderr);
}

// Prints alerts as they come.
class Printer : public detect::AlertSink {
 public:
  explicit Printer(const DetectOptions& options) : options_(options) {}

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
      out_.text() += options_.json ? score_json(score, context, threshold)
                                   : score_text(score, context, threshold);
      if (auto ok = out_.flush_if_full(); !ok) return ok;
    }
    return out_.flush();
  }

 private:
  Status print(const detect::Alert& alert, detect::Phase phase) {
    out_.text() += options_.json ? alert_json(alert, phase) : alert_text(alert, phase);
    return out_.flush();  // who watches wants to know now
  }

  const DetectOptions& options_;
  Stdout out_;
};

// What all recordings came to.
struct Totals {
  std::uint64_t alerts = 0;
  std::uint64_t lost = 0;
  std::optional<Error> damage;
};

class Run {
 public:
  Run(const DetectOptions& options, const model::ModelData& data)
      : options_(options), data_(data), model_(data.model()), printer_(options) {}

  Status source(const std::string& name, trace::EventSource& source) {
    detect::Detector detector(data_, model_, name, printer_);
    Status ran = detect::run(source, detector);
    if (ran && options_.scores) {
      ran = printer_.scores(detector, source.context(), model::to_bits(data_.threshold.value));
    }
    const detect::DetectorStats& stats = detector.stats();
    totals_.alerts += stats.alerts;
    totals_.lost += stats.lost.all();
    if (!options_.quiet) summary(name, stats);
    return ran;
  }

  Status trace(const std::string& path) {
    auto reader = trace::TraceReader::open(path);
    if (!reader) return std::move(reader).error();
    if (auto ok = source(path, **reader); !ok) return Error(ok.error()).in(escape_terminal(path));
    if ((*reader)->ended_early()) {
      say(format("{}: was cut short; these are its whole blocks", escape_terminal(path)));
    }
    if (!totals_.damage) {
      totals_.damage = damage_error(path, (*reader)->damage(), "the rest was looked at");
    }
    return {};
  }

  const Totals& totals() const { return totals_; }

 private:
  static void summary(const std::string& name, const detect::DetectorStats& stats) {
    std::string line = format("{}: {} {}; {}\n", escape_terminal(name), stats.alerts,
                              stats.alerts == 1 ? "alert" : "alerts",
                              analyze::describe_totals(stats.events, stats.lost));
    std::fwrite(line.data(), 1, line.size(), stderr);
  }

  const DetectOptions& options_;
  const model::ModelData& data_;
  model::Model model_;
  Printer printer_;
  Totals totals_;
};

Status run_live(const DetectOptions& options, Run& run) {
  auto stop = record::StopFlag::create();
  if (!stop) return std::move(stop).error();
  auto signals = StopSignals::create([&stop] { stop->stop(); });
  if (!signals) return std::move(signals).error();
  record::LiveRequest request;
  request.vms = options.vms;
  request.wait = options.wait;
  request.buffer = options.buffer;
  if (options.source == "perf") request.engine = record::Engine::perf;
  if (options.source == "bpf") request.engine = record::Engine::bpf;
  if (options.source == "kmod") request.engine = record::Engine::kmod;
  auto source = record::open_live(request, *stop);
  if (!source) return std::move(source).error();
  if (!options.quiet) {
    say(format("source {}; watching {} VMs, Ctrl-C ends it", name_of((*source)->engine()),
               (*source)->running()));
  }
  return run.source("live", **source);
}

Status check_words(const DetectOptions& options) {
  if (options.live) {
    if (!options.traces.empty()) return usage_error("--live and a TRACE: take one of them");
    if (options.vms.empty()) {
      return usage_error("--live needs --vm NAME (iovm list shows the running VMs)");
    }
    return {};
  }
  if (!options.vms.empty())
    return usage_error("--vm goes with --live (or name a TRACE to look at)");
  if (options.traces.empty()) {
    return usage_error("no TRACE given, and no --live (see iovm detect --help)");
  }
  return {};
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

Result<ExitStatus> run_detect(CommandLine& line) {
  DetectOptions options;
  declare(line, options);
  if (auto end = line.parse()) return *end;
  if (auto ok = check_words(options); !ok) return Error(ok.error());
  auto data = model::read_model(options.model);
  if (!data) return std::move(data).error();
  if (!options.quiet && !data->threshold.supported) {
    say(
        format("note: the model was trained on too few data to promise {} false alarms (see iovm "
               "info {})",
               model::describe(data->threshold.promise), escape_terminal(options.model)));
  }
  Run run(options, *data);
  if (options.live) {
    if (auto ok = run_live(options, run); !ok) return Error(ok.error());
  }
  for (const std::string& path : options.traces) {
    if (auto ok = run.trace(path); !ok) return Error(ok.error());
  }
  return verdict(options, run.totals());
}

}  // namespace

const Command kDetect{"detect", "find what is not normal, in a recording or live", run_detect};

}  // namespace iovm::cli
