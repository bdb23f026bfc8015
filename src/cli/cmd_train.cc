// SPDX-License-Identifier: Apache-2.0
//
// iovm train: recordings of normal work in, a model file out, and in words what the model can
// promise.
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "base/format.h"
#include "base/text.h"
#include "cli/add_models.h"
#include "cli/commands.h"
#include "cli/damage.h"
#include "cli/progress_line.h"
#include "cli/retrain.h"
#include "cli/train_report.h"
#include "cli/train_wish.h"
#include "model/model_file.h"
#include "trace/reader.h"
#include "train/trainer.h"

namespace iovm::cli {
namespace {

// A source whose first batch was read already: what a trace says about itself is known with it.
class Begun : public trace::EventSource {
 public:
  explicit Begun(trace::EventSource& source) : source_(source), first_(source.next()) {}

  Result<std::span<const trace::Event>> next() override {
    if (!first_) return source_.next();
    Result<std::span<const trace::Event>> batch = *first_;
    // An end and an error stay what they are.
    if (batch && !batch->empty()) first_.reset();
    return batch;
  }
  const trace::Context& context() const override { return source_.context(); }

 private:
  trace::EventSource& source_;
  std::optional<Result<std::span<const trace::Event>>> first_;
};

using Use = train::Trainer::Use;

struct Trained {
  train::Training training;
  std::optional<Error> damage;  // of the first damaged recording
};

Result<Trained> train_all(const TrainOptions& options, Wish wish) {
  Trained out;
  std::optional<train::Trainer> trainer;
  ProgressLine progress("iovm train");
  std::vector<std::string> paths = options.traces;
  paths.insert(paths.end(), options.calibrate.begin(), options.calibrate.end());
  for (const std::string& path : paths) {
    bool learn = &path < paths.data() + options.traces.size();
    auto reader = trace::TraceReader::open(path);
    if (!reader) return std::move(reader).error();
    if (!options.quiet) progress.show("reading " + escape_terminal(path));
    Begun source(**reader);
    if (!trainer) {
      settle(wish, source.context().info);
      trainer.emplace(wish.options, wish.promise);
      if (wish.chooses_order) trainer->choose_order();
    }
    if (auto ok = trainer->add(source, learn ? Use::learn : Use::calibrate); !ok) {
      return Error(ok.error()).in(escape_terminal(path));
    }
    if (!out.damage) {
      out.damage = damage_error(path, (*reader)->damage(),
                                "the rest was used (record it again, or leave it out)");
    }
    if ((*reader)->ended_early()) {
      progress.clear();
      say(format("{}: was cut short; its whole blocks are used", escape_terminal(path)));
    }
  }
  if (trainer) {
    auto training = trainer->finish();
    if (!training) {
      return out.damage ? std::move(*out.damage) : std::move(training).error();
    }
    out.training = std::move(*training);
    out.training.data.allowed = wish.allowed;
  }
  return out;
}

Status merge_models(const TrainOptions& options, train::Training& training) {
  if (options.merge.empty()) return {};
  std::optional<model::ModelData> sum;
  if (!options.traces.empty()) sum = std::move(training.data);
  if (auto ok = add_models(options.merge, "--merge ", sum); !ok) return ok;
  training.data = *std::move(sum);
  return {};
}

// What a model to go on from calls abnormal is not learned from.
Status leave_out_alarms(TrainOptions& options) {
  if (options.merge.empty()) return {};
  auto judged = judge(options.traces, options.merge, options.accept);
  if (!judged) return std::move(judged).error();
  for (const Judged::Bad& bad : judged->bad) {
    std::string trace = escape_terminal(bad.trace);
    say(format(
        "warning: {} is left out: {} alerts by {} (iovm detect tells them; --accept {} takes "
        "it in)",
        trace, bad.alerts, escape_terminal(bad.model), trace));
  }
  if (judged->good.empty() && !options.traces.empty()) {
    return input_error("every recording raises alerts; nothing is left to learn from");
  }
  options.traces = std::move(judged->good);
  return {};
}

Result<ExitStatus> run_train(CommandLine& line) {
  TrainOptions options;
  declare(line, options);
  if (auto end = line.parse()) return *end;
  auto wish = wish_of(options);
  if (!wish) return std::move(wish).error();
  if (auto ok = leave_out_alarms(options); !ok) return Error(ok.error());
  if (options.json && options.output == "-") {
    return usage_error("--json and -o - both want standard output (write the model to a file)");
  }
  auto trained = train_all(options, *wish);
  if (!trained) return std::move(trained).error();
  if (auto ok = merge_models(options, trained->training); !ok) return Error(ok.error());
  std::uint64_t lost = trained->training.lost.all();
  if (options.max_loss && lost > *options.max_loss) {
    return Error(Fault::loss, format("{} events were lost, more than --max-loss {}; no model was "
                                     "written (record again with a larger --buffer)",
                                     lost, *options.max_loss));
  }
  if (auto ok = check_promise(trained->training.data); !ok) return Error(ok.error());
  const model::ModelData& data = trained->training.data;
  if (auto ok = model::write_model(options.output, data); !ok) return Error(ok.error());
  if (!options.quiet) say_summary(trained->training, options.output);
  auto check = check_model(options.check, data);
  if (!check) return std::move(check).error();
  if (*check && (!options.quiet || (*check)->broken)) say_check(**check, data.threshold.promise);
  if (options.json) {
    std::string text = summary_json(trained->training, *check);
    std::fwrite(text.data(), 1, text.size(), stdout);
  }
  if (trained->damage) return std::move(*trained->damage);
  return ExitStatus::done;
}

}  // namespace

const Command kTrain{"train", "learn what is normal from recordings", run_train};

}  // namespace iovm::cli
