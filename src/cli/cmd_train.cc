// SPDX-License-Identifier: Apache-2.0
//
// iovm train: recordings of normal work in, a model file out, and in words what the model can
// promise.
#include <algorithm>
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
#include "cli/train_report.h"
#include "cli/train_wish.h"
#include "cli/vetting.h"
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

// Recordings one after the other into one trainer.
class TrainRun {
 public:
  TrainRun(const TrainOptions& options, Wish wish, const Judges& judges)
      : options_(options), wish_(std::move(wish)), judges_(judges) {}

  Status add(const std::string& path, Use use);
  Result<Trained> finish();

 private:
  bool may_learn(const std::string& path, Use use, const Vetting& vetting);

  const TrainOptions& options_;
  Wish wish_;
  const Judges& judges_;
  std::optional<train::Trainer> trainer_;
  ProgressLine progress_{"iovm train"};
  Trained trained_;
  bool calibrates_ = false;
};

Status TrainRun::add(const std::string& path, Use use) {
  auto reader = trace::TraceReader::open(path);
  if (!reader) return std::move(reader).error();
  if (!options_.quiet) progress_.show("reading " + escape_terminal(path));
  Begun begun(**reader);
  if (!trainer_) {
    settle(wish_, begun.context().info);
    trainer_.emplace(wish_.options, wish_.promise);
    if (wish_.chooses_order) trainer_->choose_order();
  }
  Vetting source(begun, path, judges_, wish_.options.scheme == model::Scheme::devices);
  auto verdict = [&] { return may_learn(path, use, source); };
  if (auto ok = trainer_->add(source, use, verdict); !ok) {
    return Error(ok.error()).in(escape_terminal(path));
  }
  if (!trained_.damage) {
    trained_.damage = damage_error(path, (*reader)->damage(),
                                   "the rest was used (record it again, or leave it out)");
  }
  if ((*reader)->ended_early()) {
    progress_.clear();
    say(format("{}: was cut short; its whole blocks are used", escape_terminal(path)));
  }
  return {};
}

bool TrainRun::may_learn(const std::string& path, Use use, const Vetting& vetting) {
  std::optional<std::string> objection;
  if (std::ranges::find(options_.accept, path) == options_.accept.end()) {
    objection = vetting.objection();
  }
  if (!objection) {
    if (use == Use::learn) trained_.learned.push_back(path);
    calibrates_ = calibrates_ || use == Use::calibrate;
    return true;
  }
  trained_.left_out.push_back({path, *objection});
  progress_.clear();
  std::string trace = escape_terminal(path);
  say(format("warning: {} is left out: {} (iovm detect tells; --accept {} takes it in)", trace,
             *objection, trace));
  return false;
}

Result<Trained> TrainRun::finish() {
  std::optional<Error> wrong = trained_.damage;
  bool learns = options_.traces.empty() || !trained_.learned.empty();
  if (!learns || (!options_.calibrate.empty() && !calibrates_)) {
    return wrong.value_or(input_error(format("nothing is left to {}: every recording raises alerts",
                                             learns ? "calibrate by" : "learn from")));
  }
  if (!trainer_) return std::move(trained_);
  auto training = trainer_->finish();
  if (!training) return wrong.value_or(training.error());
  trained_.training = std::move(*training);
  trained_.training.data.allowed = wish_.allowed;
  return std::move(trained_);
}

Result<Trained> train_all(const TrainOptions& options, Wish wish) {
  auto judges = Judges::read(options.merge);
  if (!judges) return std::move(judges).error();
  TrainRun run(options, std::move(wish), *judges);
  for (const std::string& path : options.traces) {
    if (auto ok = run.add(path, Use::learn); !ok) return Error(ok.error());
  }
  for (const std::string& path : options.calibrate) {
    if (auto ok = run.add(path, Use::calibrate); !ok) return Error(ok.error());
  }
  return run.finish();
}

Status merge_models(const TrainOptions& options, train::Training& training) {
  if (options.merge.empty()) return {};
  std::optional<model::ModelData> sum;
  if (!options.traces.empty()) sum = std::move(training.data);
  if (auto ok = add_models(options.merge, "--merge ", sum); !ok) return ok;
  training.data = *std::move(sum);
  return {};
}

Result<ExitStatus> run_train(CommandLine& line) {
  TrainOptions options;
  declare(line, options);
  if (auto end = line.parse()) return *end;
  auto wish = wish_of(options);
  if (!wish) return std::move(wish).error();
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
  say_warnings(*trained);
  if (!options.quiet) say_summary(trained->training, options.output);
  auto check = check_model(options.check, data);
  if (!check) return std::move(check).error();
  if (*check && (!options.quiet || (*check)->broken)) say_check(**check, data.threshold.promise);
  if (options.json) {
    std::string text = summary_json(*trained, *check);
    std::fwrite(text.data(), 1, text.size(), stdout);
  }
  if (trained->damage) return std::move(*trained->damage);
  return ExitStatus::done;
}

}  // namespace

const Command kTrain{"train", "learn what is normal from recordings", run_train};

}  // namespace iovm::cli
