// SPDX-License-Identifier: Apache-2.0
#include "cli/train_check.h"

#include <algorithm>
#include <chrono>
#include <limits>

#include "analyze/evaluation.h"
#include "base/format.h"
#include "base/text.h"
#include "train/poisson.h"

namespace iovm::cli {
namespace {

using Unit = model::Promise::Unit;

void count_sessions(TrainCheck& check, const model::Promise& promise) {
  std::uint64_t n = check.total.sessions;
  std::uint64_t alerts = std::min(check.total.alerts, n);
  if (n > 0) check.rate = static_cast<double>(alerts) / static_cast<double>(n);
  analyze::Interval interval = analyze::wilson(check.rate, n);
  check.low = interval.low;
  check.high = interval.high;
  check.broken = check.low > promise.alarms;
}

void count_episodes(TrainCheck& check, const model::Promise& promise) {
  std::uint64_t amount =
      promise.unit == Unit::events ? check.total.events : check.total.duration_ns;
  double units = static_cast<double>(amount) / static_cast<double>(promise.per);
  auto [low, high] = train::poisson_interval(check.total.alerts);
  bool none = amount == 0;
  check.rate = none ? 0 : static_cast<double>(check.total.alerts) / units;
  check.low = none ? 0 : low / units;
  check.high = none ? std::numeric_limits<double>::infinity() : high / units;
  check.broken = check.low > promise.alarms;
}

}  // namespace

Result<std::optional<TrainCheck>> check_model(const std::vector<std::string>& traces,
                                              const model::ModelData& data) {
  std::optional<TrainCheck> check;
  if (traces.empty()) return check;
  check.emplace();
  check->recordings = traces.size();
  detect::Learned learned(data);
  for (const std::string& trace : traces) {
    auto run = look_over(trace, learned);
    if (!run) return std::move(run).error();
    check->total.alerts += run->alerts;
    check->total.events += run->events;
    check->total.sessions += run->sessions;
    check->total.duration_ns += run->duration_ns;
  }
  const model::Promise& promise = data.threshold.promise;
  promise.unit == Unit::sessions ? count_sessions(*check, promise)
                                 : count_episodes(*check, promise);
  return check;
}

std::string describe(const TrainCheck& check, const model::Promise& promise) {
  bool sessions = promise.unit == Unit::sessions;
  const NormalRun& total = check.total;
  auto duration = std::chrono::nanoseconds(static_cast<std::int64_t>(
      std::min<std::uint64_t>(total.duration_ns, std::numeric_limits<std::int64_t>::max())));
  std::string amount = sessions
                           ? format("{} sessions", total.sessions)
                           : format("{}, {} events", describe_duration(duration), total.events);
  model::Promise one = promise;
  one.alarms = 1;
  std::string per = sessions ? " %" : model::describe(one).substr(1);
  double scale = sessions ? 100 : 1;
  return format("checked on {} of their own ({}): {}, {:.3g}{} (95 %: {:.3g} to {:.3g}{})",
                counted(check.recordings, "recording"), amount,
                counted(total.alerts, "false alarm"), check.rate * scale, per, check.low * scale,
                check.high * scale, per);
}

void put(JsonWriter& json, const TrainCheck& check) {
  json.begin_object().member("recordings", std::uint64_t{check.recordings});
  json.member("events", check.total.events).member("duration_ns", check.total.duration_ns);
  json.member("sessions", check.total.sessions).member("false_alarms", check.total.alerts);
  json.member("rate", check.rate).key("interval").begin_array();
  json.value(check.low).value(check.high).end_array();
  json.member("broken", check.broken).end_object();
}

}  // namespace iovm::cli
