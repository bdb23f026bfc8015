// SPDX-License-Identifier: Apache-2.0
#include "cli/evaluator.h"

#include <algorithm>

#include "base/format.h"
#include "base/text.h"
#include "cli/damage.h"
#include "cli/timed_source.h"
#include "detect/detector.h"
#include "trace/reader.h"

namespace iovm::cli {
// One recording on its way through a detector.
struct Evaluator::Run : detect::AlertSink {
  explicit Run(std::vector<analyze::TruthAttack> attacks) : watch(std::move(attacks)) {}

  Status opened(const detect::Alert& alert) override {
    if (alerts++ == 0) alarm_event = alert.alarm_event, alarm_time = alert.alarm_time;
    return {};
  }
  Status closed(const detect::Alert& alert) override { return watch.closed(alert); }

  analyze::AttackWatch watch;
  std::uint64_t alerts = 0;
  std::uint64_t alarm_event = 0;
  std::uint64_t alarm_time = 0;
  std::uint64_t start = 0;
  std::uint64_t events = 0;
  std::vector<detect::StreamScore> scores;
};

Status Evaluator::run(const std::string& path, Run& run) {
  auto reader = trace::TraceReader::open(path);
  if (!reader) return std::move(reader).error();
  Timed source(**reader);
  detect::Detector detector(learned_, path, run);
  run.watch.follow(detector.tokenizer());
  detector.watch(run.watch);
  if (auto ok = detect::run(source, detector); !ok)
    return Error(ok.error()).in(escape_terminal(path));
  run.start = source.first();
  run.events = detector.stats().events;
  run.scores = detector.scores(source.context());
  events_ += run.events;
  lost_.add(detector.stats().lost);
  if (!damage_) damage_ = damage_error(path, (*reader)->damage(), "the rest was looked at");
  return {};
}

Status Evaluator::add_normal(const std::string& path) {
  Run normal({});
  if (auto ok = run(path, normal); !ok) return ok;
  for (const detect::StreamScore& score : normal.scores) {
    if (score.events > 0)
      sessions_.push_back({group(score.name.device), score.session.score, false});
  }
  normal_events_ += normal.events;
  normal_alerts_ += normal.alerts;
  return {};
}

Status Evaluator::add_attack(const std::string& path) {
  std::vector<analyze::TruthAttack> known;
  std::ranges::copy_if(truth_, std::back_inserter(known),
                       [&path](const analyze::TruthAttack& t) { return t.is_in(path); });
  bool truth = !known.empty();
  Run attack(std::move(known));
  if (auto ok = run(path, attack); !ok) return ok;
  for (std::size_t i = 0; i < attack.scores.size(); ++i) {
    const detect::StreamScore& score = attack.scores[i];
    if (score.events == 0) continue;
    bool attacked = !truth || attack.watch.attacked(static_cast<model::StreamIndex>(i));
    sessions_.push_back({group(score.name.device), score.session.score, attacked});
  }
  analyze::AttackRecording recording{path, attack.events, attack.alerts, 0, 0};
  if (attack.alerts > 0) {
    recording.alarm_event = attack.alarm_event + 1;
    recording.alarm_seconds = static_cast<double>(attack.alarm_time - attack.start) / 1e9;
  }
  attacks_.push_back(std::move(recording));
  attack_paths_.push_back(path);
  if (!truth) return {};
  for (analyze::AttackOutcome& outcome : attack.watch.outcomes())
    outcomes_.push_back(std::move(outcome));
  tally_.add(attack.watch.tally());
  return {};
}

Status Evaluator::check_truth() const {
  for (const analyze::TruthAttack& truth : truth_) {
    bool there = std::ranges::any_of(
        attack_paths_, [&truth](const std::string& path) { return truth.is_in(path); });
    if (there) continue;
    return input_error(
        format("--truth tells of an attack {} in {}, which is none of the --attack recordings",
               escape_terminal(truth.name), escape_terminal(truth.trace)));
  }
  return {};
}

analyze::Evaluation Evaluator::result() const {
  analyze::Evaluation out = analyze::evaluate(sessions_);
  out.normal_events = normal_events_;
  out.normal_alerts = normal_alerts_;
  out.attacks = attacks_;
  out.outcomes = outcomes_;
  out.tally = tally_;
  out.lost = lost_.all();
  return out;
}

// Devices recur from recording to recording; processes and the like do not.
std::string Evaluator::group(const std::optional<model::Device>& device) const {
  if (device && data_.options.scheme == model::Scheme::devices)
    return model::device_name(device->type);
  return std::string(model::name_of(data_.options.stream));
}

}  // namespace iovm::cli
