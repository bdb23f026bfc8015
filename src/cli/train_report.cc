// SPDX-License-Identifier: Apache-2.0
#include "cli/train_report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>

#include "analyze/file_facts.h"
#include "analyze/model_diff.h"
#include "base/format.h"
#include "base/json.h"
#include "base/text.h"
#include "train/threshold.h"

namespace iovm::cli {
namespace {

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
                        train::alarms_at(c, t), amount_text(have, t.promise), t.expected,
                        per_text(t.promise))
               : std::string("there is no held-out work");
  say(
      format("warning: too few data to promise {} false alarms: {}; record about {} more of normal "
             "work for it, or accept more with --false-alarms",
             model::describe(t.promise), seen, amount_text((need - have) * 3, t.promise)));
}

// From where in the guests' code, where that was recorded.
void say_code(const train::Training& training) {
  const model::ModelData& data = training.data;
  if (data.options.scheme != model::Scheme::devices) return;
  if (data.places.empty()) {
    say("code: no instruction addresses were recorded, so code that training never saw will not be "
        "told (iovm record --source bpf or kmod has them)");
    return;
  }
  std::uint32_t limit = data.threshold.strange;
  say(format(
      "code: devices are driven from {} places; {}", data.places.size(),
      limit > model::kWindowEvents
          ? "held-out work came from too many others for an alarm by them"
          : format("{} accesses of {} from others are an alarm", limit, model::kWindowEvents)));
  if (training.without_code > 0) {
    say(
        format("warning: {} of {} recordings have no instruction addresses: what drives their "
               "devices is not known",
               training.without_code, training.recordings));
  }
}

// Devices that guests drove from user space, which is no alarm from now on.
void say_user_space(const model::ModelData& data) {
  std::map<model::DeviceType, std::uint64_t> accesses;
  for (const analyze::OperationCount& c : analyze::operation_counts(data)) {
    if (c.operation.has(model::Mark::user)) accesses[c.operation.device] += c.count;
  }
  std::string text;
  for (const auto& [device, count] : accesses) {
    text += format("{}{} ({})", text.empty() ? "" : ", ", model::device_name(device), count);
  }
  if (text.empty()) return;
  say("warning: processes of the guests accessed devices by themselves, which is no alarm from now "
      "on (leave such a recording out if it was no normal work): " +
      text);
}

void say_unlike(const Trained& trained) {
  for (const train::Unlike& unlike : trained.training.unlike) {
    std::string device =
        unlike.device == model::DeviceType{} ? "" : ", at " + model::device_name(unlike.device);
    std::string trace = escape_terminal(trained.learned[unlike.recording]);
    say(format(
        "warning: {} is unlike the other recordings: a model of them would raise {} in it, the "
        "largest score {:.2f} bits{} (rare work, or no normal work: train without it, and "
        "iovm detect tells)",
        trace, counted(unlike.alarms, "alarm"), model::to_bits(unlike.largest), device));
  }
}

}  // namespace

void say_warnings(const Trained& trained) {
  say_user_space(trained.training.data);
  say_unlike(trained);
}

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
        format("threshold {:.2f} bits over {} events; held out: {} events, {} blocks, "
               "largest score {:.2f}",
               model::to_bits(data.threshold.value), model::kWindowEvents, c.events, c.blocks,
               c.largest.empty() ? 0.0 : model::to_bits(c.largest.front())));
    say_promise(data);
  }
  say_code(training);
  if (training.left_out > 0) {
    say(format("warning: {} events found no room in the counts (a smaller --order needs less)",
               training.left_out));
  }
  say(format("model in {}", path == "-" ? "standard output" : escape_terminal(path)));
  std::string line = analyze::describe_totals(training.events, training.lost) + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
}

void say_check(const TrainCheck& check, const model::Promise& promise) {
  std::string text = describe(check, promise);
  if (check.broken) {
    text = format(
        "warning: {}: more than the promised {}; normal work differs from what was "
        "trained on (iovm detect tells how)",
        text, model::describe(promise));
  }
  say(text);
}

std::string summary_json(const Trained& trained, const std::optional<TrainCheck>& check) {
  const train::Training& training = trained.training;
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
  json.key("code").begin_object().member("places", std::uint64_t{data.places.size()});
  json.member("threshold", data.threshold.strange);
  json.member("recordings_without", std::uint64_t{training.without_code}).end_object();
  json.key("calibration").begin_object().member("events", data.calibration.events);
  json.member("duration_ns", data.calibration.duration_ns);
  json.member("sessions", std::uint64_t{data.calibration.scores.size()});
  json.member("blocks", data.calibration.blocks).end_object();
  json.key("left_out").begin_array();
  for (const Trained::LeftOut& recording : trained.left_out) {
    json.begin_object().member("trace", recording.trace).member("why", recording.why).end_object();
  }
  json.end_array().key("unlike").begin_array();
  for (const train::Unlike& unlike : training.unlike) {
    json.begin_object().member("trace", trained.learned[unlike.recording]);
    json.member("alarms", unlike.alarms).member("largest", model::to_bits(unlike.largest));
    json.end_object();
  }
  json.end_array();
  if (check) put(json.key("check"), *check);
  json.member("events", training.events).member("lost", training.lost.all()).end_object();
  return json.take() + "\n";
}

}  // namespace iovm::cli
