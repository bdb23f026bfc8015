// SPDX-License-Identifier: Apache-2.0
//
// iovm eval: a model, recordings of normal work and recordings of attacks in; how well the one is
// told from the other out. A session is a stream of a recording, scored as detect scores it.
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "analyze/evaluation.h"
#include "analyze/file_facts.h"
#include "base/fd.h"
#include "base/format.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/damage.h"
#include "cli/progress_line.h"
#include "detect/detector.h"
#include "model/model_file.h"
#include "trace/reader.h"

namespace iovm::cli {
namespace {

struct EvalOptions {
  std::string model;
  std::vector<std::string> normal;
  std::vector<std::string> attack;
  std::optional<std::string> svg;
  bool json = false;
  bool quiet = false;
};

void declare(CommandLine& line, EvalOptions& options) {
  line.option("-m,--model", options.model, "MODEL", "the model of normal work").required();
  line.option("--normal", options.normal, "TRACE", "recordings of normal work")
      .required()
      .several();
  line.option("--attack", options.attack, "TRACE", "recordings of attacks").required().several();
  line.option("--svg", options.svg, "FILE", "write the ROC curve as a picture");
  line.flag("--json", options.json, "print the result as JSON");
  line.flag("-q,--quiet", options.quiet, "no progress, no summary of losses");
}

// Remembers when the first alarm came.
class FirstAlarm : public detect::AlertSink {
 public:
  Status opened(const detect::Alert& alert) override {
    if (!first_) first_ = {alert.alarm_event, alert.alarm_time};
    return {};
  }
  Status closed(const detect::Alert&) override { return {}; }

  // Number and time.
  const std::optional<std::pair<std::uint64_t, std::uint64_t>>& first() const { return first_; }

 private:
  std::optional<std::pair<std::uint64_t, std::uint64_t>> first_;
};

// Passes events on and keeps the time of the first.
class Timed : public trace::EventSource {
 public:
  explicit Timed(trace::EventSource& source) : source_(source) {}

  Result<std::span<const trace::Event>> next() override {
    auto batch = source_.next();
    if (batch && !batch->empty() && !start_) start_ = batch->front().time;
    return batch;
  }
  const trace::Context& context() const override { return source_.context(); }
  std::uint64_t start() const { return start_.value_or(0); }

 private:
  trace::EventSource& source_;
  std::optional<std::uint64_t> start_;
};

class Evaluator {
 public:
  explicit Evaluator(const model::ModelData& data) : data_(data), model_(data.model()) {}

  Status add(const std::string& path, bool attack) {
    auto reader = trace::TraceReader::open(path);
    if (!reader) return std::move(reader).error();
    FirstAlarm alarm;
    Timed source(**reader);
    detect::Detector detector(data_, model_, path, alarm);
    if (auto ok = detect::run(source, detector); !ok) {
      return Error(ok.error()).in(escape_terminal(path));
    }
    for (const detect::StreamScore& score : detector.scores(source.context())) {
      if (score.events > 0) sessions_.push_back({group(score.name), score.session.score, attack});
    }
    const detect::DetectorStats& stats = detector.stats();
    lost_.ring += stats.lost.ring;
    lost_.source += stats.lost.source;
    lost_.damaged += stats.lost.damaged;
    if (attack) {
      analyze::AttackRecording recording{path, stats.events, stats.alerts, 0, 0};
      if (alarm.first()) {
        recording.alarm_event = alarm.first()->first + 1;
        recording.alarm_seconds = static_cast<double>(alarm.first()->second - source.start()) / 1e9;
      }
      attacks_.push_back(recording);
    } else {
      normal_events_ += stats.events;
      normal_alerts_ += stats.alerts;
    }
    events_ += stats.events;
    if (!damage_) damage_ = damage_error(path, (*reader)->damage(), "the rest was looked at");
    return {};
  }

  analyze::Evaluation result() const {
    analyze::Evaluation out = analyze::evaluate(sessions_);
    out.normal_events = normal_events_;
    out.normal_alerts = normal_alerts_;
    out.attacks = attacks_;
    out.lost = lost_.all();
    return out;
  }
  const std::optional<Error>& damage() const { return damage_; }
  std::string totals() const { return analyze::describe_totals(events_, lost_); }

 private:
  // Devices recur from recording to recording; processes and the like do not.
  std::string group(const detect::StreamName& name) const {
    if (name.device && data_.options.scheme == model::Scheme::devices) {
      return model::device_name(name.device->type);
    }
    return std::string(model::name_of(data_.options.stream));
  }

  const model::ModelData& data_;
  model::Model model_;
  std::vector<analyze::ScoredSession> sessions_;
  std::vector<analyze::AttackRecording> attacks_;
  std::uint64_t normal_events_ = 0;
  std::uint64_t normal_alerts_ = 0;
  std::uint64_t events_ = 0;
  trace::LossTotals lost_;
  std::optional<Error> damage_;
};

Status write_picture(const std::string& path, const std::string& svg) {
  auto fd = open_for_writing(path);
  if (!fd) return std::move(fd).error();
  if (auto ok = write_full(fd->get(), std::as_bytes(std::span(svg))); !ok) {
    return Error(ok.error()).in(format("writing {}", escape_terminal(path)));
  }
  return {};
}

Status add_all(const EvalOptions& options, Evaluator& evaluator) {
  ProgressLine progress("iovm eval");
  for (bool attack : {false, true}) {
    for (const std::string& path : attack ? options.attack : options.normal) {
      if (!options.quiet) progress.show("reading " + escape_terminal(path));
      if (auto ok = evaluator.add(path, attack); !ok) return ok;
    }
  }
  return {};
}

Result<ExitStatus> run_eval(CommandLine& line) {
  EvalOptions options;
  declare(line, options);
  if (auto end = line.parse()) return *end;
  if (options.svg == "-") return usage_error("--svg needs a file (standard output has the text)");
  auto data = model::read_model(options.model);
  if (!data) return std::move(data).error();
  Evaluator evaluator(*data);
  if (auto ok = add_all(options, evaluator); !ok) return Error(ok.error());
  analyze::Evaluation result = evaluator.result();
  if (!result.all.auc) {
    return evaluator.damage() ? *evaluator.damage()
                              : input_error(
                                    "there is no session of normal work and of an attack to "
                                    "tell apart (iovm info tells what a recording holds)");
  }
  std::string text = options.json ? render_json(result) : render_text(result);
  std::fwrite(text.data(), 1, text.size(), stdout);
  if (options.svg) {
    if (auto ok = write_picture(*options.svg, render_svg(result)); !ok) return Error(ok.error());
  }
  if (!options.quiet) {
    std::string totals = evaluator.totals() + "\n";
    std::fwrite(totals.data(), 1, totals.size(), stderr);
  }
  if (evaluator.damage()) return *evaluator.damage();
  return ExitStatus::done;
}

}  // namespace

const Command kEval{"eval", "measure how well a model tells attacks from normal work", run_eval};

}  // namespace iovm::cli
