// SPDX-License-Identifier: Apache-2.0
//
// iovm train: recordings of normal work in, a model file out, and in words what the model can
// promise.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "analyze/file_facts.h"
#include "base/format.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/damage.h"
#include "cli/progress_line.h"
#include "model/model_file.h"
#include "trace/reader.h"
#include "train/trainer.h"

namespace iovm::cli {
namespace {

struct TrainOptions {
  std::vector<std::string> traces;
  std::string output;
  std::string method = "markov";
  std::optional<std::uint64_t> order;
  std::optional<std::string> stream;
  std::string symbols = "auto";
  std::string session = "auto";
  std::vector<std::string> allow;
  std::vector<std::string> calibrate;
  std::string false_alarms = "1/day";
  std::vector<std::string> merge;
  std::optional<std::uint64_t> max_loss;
  bool json = false;
  bool quiet = false;
};

void declare(CommandLine& line, TrainOptions& options) {
  line.positional("TRACE", options.traces, "recordings of normal work; - is standard input");
  line.optional();
  line.option("-o,--output", options.output, "MODEL", "the model file to write, or -").required();
  line.choice("--method", options.method, {"markov", "chain", "stide"}, "how order is learned");
  line.option(
      "--order", options.order, "N",
      "symbols of context (markov 5, or 9 with more than a million events; chain 3) or in a "
      "window (stide 6)");
  line.option("--stream", options.stream, "WHAT",
              "one sequence per device (default), process, vcpu or vm");
  line.choice("--symbols", options.symbols, {"auto", "devices", "addresses"},
              "what an access is known by; auto: addresses for imported number sequences");
  line.choice("--session", options.session, {"auto", "mean", "combined"},
              "what a session's score is; auto: the mean where --order or another method is given");
  line.option("--allow", options.allow, "device:KEY|process:NAME",
              "what may do I/O from user space without an alarm; may be given several times");
  line.option("--calibrate", options.calibrate, "TRACE",
              "recordings of normal work to set the threshold by, and to learn nothing from")
      .several();
  line.option("--false-alarms", options.false_alarms, "N/TIME",
              "accepted false alarms: 1/day, 3/hour, 1/week, 5/1M (events), 0.1% (of sessions)");
  line.option("--merge", options.merge, "MODEL",
              "add the counts of this model, made with the same "
              "options; may be given several times");
  line.option("--max-loss", options.max_loss, "N",
              "end with code 5, and write nothing, if more than N events were lost");
  line.flag("--json", options.json, "print the summary as JSON");
  line.flag("-q,--quiet", options.quiet, "print nothing but warnings and errors");
}

void say(std::string_view text) {
  std::string line = format("iovm train: {}\n", text);
  std::fwrite(line.data(), 1, line.size(), stderr);
}

// What the command line says about the model; the rest is decided by the first recording.
struct Wish {
  model::Options options;
  bool stream_given = false;
  bool scheme_given = false;
  bool chooses_order = false;
  model::Promise promise;
  std::vector<std::string> allowed;  // sorted, none twice
};

Result<std::vector<std::string>> allowed_names(std::vector<std::string> names) {
  for (const std::string& name : names) {
    std::size_t colon = name.find(':');
    std::string_view what = std::string_view(name).substr(0, colon);
    if (colon == std::string::npos || colon + 1 == name.size() ||
        (what != "device" && what != "process")) {
      return usage_error(
          format("--allow \"{}\": device:KEY (iovm info MODEL lists the keys) or "
                 "process:NAME",
                 escape_terminal(name)));
    }
  }
  std::ranges::sort(names);
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

Result<Wish> wish_of(const TrainOptions& options) {
  Wish wish;
  wish.options.method = *model::method(options.method);
  wish.options.order = model::usual_order(wish.options.method);
  if (options.order) {
    std::uint64_t least = wish.options.method == model::Method::stide ? 2 : 1;
    if (*options.order < least || *options.order > model::kMaxOrder) {
      return usage_error(format("--order {}: from {} to {} for {} (see iovm train --help)",
                                *options.order, least, model::kMaxOrder, options.method));
    }
    wish.options.order = static_cast<std::uint32_t>(*options.order);
  }
  bool plain = wish.options.method == model::Method::markov && !options.order;
  wish.chooses_order = plain && options.merge.empty();
  bool combined = options.session == "auto" ? plain : options.session == "combined";
  wish.options.session = combined ? model::SessionView::combined : model::SessionView::mean;
  if (options.stream) {
    auto kind = model::stream_kind(*options.stream);
    if (!kind) {
      return usage_error(
          format("--stream \"{}\": device, process, vcpu or vm", escape_terminal(*options.stream)));
    }
    wish.options.stream = *kind;
    wish.stream_given = true;
  }
  wish.scheme_given = options.symbols != "auto";
  if (options.symbols == "addresses") wish.options.scheme = model::Scheme::addresses;
  auto promise = model::parse_promise(options.false_alarms);
  if (!promise) return std::move(promise).error().in("--false-alarms");
  wish.promise = *promise;
  auto allowed = allowed_names(options.allow);
  if (!allowed) return std::move(allowed).error();
  wish.allowed = *std::move(allowed);
  if (options.traces.empty() && !options.calibrate.empty()) {
    return usage_error("--calibrate needs a TRACE to learn from (see iovm train --help)");
  }
  if (options.traces.empty() && options.merge.empty()) {
    return usage_error("no TRACE given to train on (see iovm train --help)");
  }
  return wish;
}

// Number sequences have neither devices nor registers; their streams are their lines.
void settle(Wish& wish, const trace::TraceInfo& info) {
  if (info.source != "sequences") return;
  if (!wish.stream_given) wish.options.stream = model::StreamKind::process;
  if (!wish.scheme_given) wish.options.scheme = model::Scheme::addresses;
}

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
  bool first = options.traces.empty();
  for (const std::string& path : options.merge) {
    auto model = model::read_model(path);
    if (!model) return std::move(model).error();
    if (first) {
      training.data = std::move(*model);
      first = false;
      continue;
    }
    auto sum = model::merge(training.data, *model);
    if (!sum) return std::move(sum).error().in(format("--merge {}", escape_terminal(path)));
    training.data = std::move(*sum);
  }
  return {};
}

// A share of sessions that so few held-out ones cannot promise is refused: any number would be a
// lie.
Status check_promise(const model::ModelData& data) {
  const model::Threshold& t = data.threshold;
  if (t.promise.unit != model::Promise::Unit::sessions || t.supported) return {};
  double have = train::available(data.calibration, t.promise);
  double need = train::needed(t.promise);
  return input_error(format(
      "{} held-out sessions cannot promise {}: no less than {:.3g}%; record about {:.0f} more "
      "sessions of normal work, or accept more with --false-alarms",
      have, model::describe(t.promise), 100 * train::smallest_share(data.calibration),
      (need - have) * 3));
}

std::string amount_text(double amount, const model::Promise& promise) {
  if (promise.unit == model::Promise::Unit::events) return format("{:.0f} events", amount);
  if (promise.unit == model::Promise::Unit::sessions) return format("{:.0f} sessions", amount);
  double most = 9e18;
  return describe_duration(
      std::chrono::nanoseconds(static_cast<std::int64_t>(std::min(amount, most))));
}

std::string per_text(const model::Promise& promise) {
  model::Promise one = promise;
  one.alarms = 1;
  return model::describe(one).substr(1);
}

void say_promise(const model::ModelData& data) {
  const model::Threshold& t = data.threshold;
  const model::Calibration& c = data.calibration;
  double have = train::available(c, t.promise);
  if (t.supported) {
    bool sessions = t.promise.unit == model::Promise::Unit::sessions;
    say(format("false alarms: at most {}{}, from {} of held-out work", model::describe(t.promise),
               sessions ? "" : " (95 %)", amount_text(have, t.promise)));
    return;
  }
  double need = train::needed(t.promise);
  std::string seen =
      have > 0 ? format("{} false alarms in {} of held-out work support at most {:.3g}{} (95 %)",
                        train::alarms_at(c, t.value), amount_text(have, t.promise), t.expected,
                        per_text(t.promise))
               : std::string("there is no held-out work");
  say(
      format("warning: too few data to promise {} false alarms: {}; record about {} more of normal "
             "work for it, or accept more with --false-alarms",
             model::describe(t.promise), seen, amount_text((need - have) * 3, t.promise)));
}

void say_summary(const train::Training& training, const std::string& path) {
  const model::ModelData& data = training.data;
  const model::Calibration& c = data.calibration;
  say(format("{} order {}, one sequence per {}: {} operations, {} sequences of up to {}",
             name_of(data.options.method), data.options.order, name_of(data.options.stream),
             data.alphabet.size(), data.ngrams.size(), data.ngrams.length));
  if (std::isfinite(data.threshold.session)) {
    say(format("threshold {:.3f} of a session's {} score; held out: {} sessions",
               data.threshold.session, name_of(data.options.session), c.scores.size()));
    say_promise(data);
  } else {
    say(
        format("threshold {:.2f} bits per event over {} events; held out: {} events, {} blocks, "
               "largest score {:.2f}",
               model::to_bits(data.threshold.value), model::kWindowEvents, c.events, c.blocks,
               c.largest.empty() ? 0.0 : model::to_bits(c.largest.front())));
    say_promise(data);
  }
  if (training.left_out > 0) {
    say(format("warning: {} events found no room in the counts (a smaller --order needs less)",
               training.left_out));
  }
  say(format("model in {}", path == "-" ? "standard output" : escape_terminal(path)));
  std::string line = analyze::describe_totals(training.events, training.lost) + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
}

void print_json(const train::Training& training) {
  const model::ModelData& data = training.data;
  JsonWriter json;
  json.begin_object().member("method", name_of(data.options.method));
  json.member("order", data.options.order).member("stream", name_of(data.options.stream));
  json.member("operations", std::uint64_t{data.alphabet.size()});
  json.member("sequences", std::uint64_t{data.ngrams.size()});
  json.member("session", name_of(data.options.session));
  json.member("threshold", model::to_bits(data.threshold.value));
  json.member("session_threshold", data.threshold.session);
  json.key("false_alarms").begin_object();
  json.member("promise", model::describe(data.threshold.promise));
  json.member("supported", data.threshold.supported);
  json.member("at_most", data.threshold.expected).end_object();
  json.key("calibration").begin_object().member("events", data.calibration.events);
  json.member("duration_ns", data.calibration.duration_ns);
  json.member("sessions", std::uint64_t{data.calibration.scores.size()});
  json.member("blocks", data.calibration.blocks).end_object();
  json.member("events", training.events).member("lost", training.lost.all()).end_object();
  std::string text = json.take() + "\n";
  std::fwrite(text.data(), 1, text.size(), stdout);
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
  if (auto ok = model::write_model(options.output, trained->training.data); !ok) {
    return Error(ok.error());
  }
  if (!options.quiet) say_summary(trained->training, options.output);
  if (options.json) print_json(trained->training);
  if (trained->damage) return std::move(*trained->damage);
  return ExitStatus::done;
}

}  // namespace

const Command kTrain{"train", "learn what is normal from recordings", run_train};

}  // namespace iovm::cli
