// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "analyze/file_facts.h"
#include "analyze/model_diff.h"
#include "analyze/usual_work.h"
#include "base/format.h"
#include "base/json.h"
#include "base/text.h"

namespace iovm::analyze {
namespace {

constexpr std::size_t kShown = 12;

std::uint64_t trained_events(const model::ModelData& data) {
  std::uint64_t events = 0;
  for (const model::Origin& origin : data.origins) events += origin.events;
  return events;
}

std::uint64_t trained_losses(const model::ModelData& data) {
  std::uint64_t lost = 0;
  for (const model::Origin& origin : data.origins) lost += origin.lost;
  return lost;
}

// The kinds of devices in the alphabet; it is sorted by them.
std::vector<model::DeviceType> device_types(const model::ModelData& data) {
  std::vector<model::DeviceType> types;
  for (const model::Operation& operation : data.alphabet) {
    if (types.empty() || types.back() != operation.device) types.push_back(operation.device);
  }
  return types;
}

// Operations that stand for a range of addresses, most frequent first.
std::vector<OperationCount> merged_ranges(const model::ModelData& data) {
  std::vector<OperationCount> counts = operation_counts(data);
  std::erase_if(counts, [](const OperationCount& count) {
    return !count.operation.has(model::Mark::merged);
  });
  std::ranges::stable_sort(counts, std::greater<>(), &OperationCount::count);
  return counts;
}

std::string merged_text(const model::ModelData& data) {
  std::vector<OperationCount> ranges = merged_ranges(data);
  std::string text;
  for (std::size_t i = 0; i < std::min(ranges.size(), kShown); ++i) {
    text += format("    {:>10}  {}\n", ranges[i].count, model::describe(ranges[i].operation));
  }
  if (ranges.size() > kShown) {
    text += format("    and {} more (--json has them all)\n", ranges.size() - kShown);
  }
  return text;
}

std::string origins_text(const model::ModelData& data) {
  std::string text;
  for (std::size_t i = 0; i < std::min(data.origins.size(), kShown); ++i) {
    const model::Origin& origin = data.origins[i];
    auto duration = std::chrono::nanoseconds(origin.last_time - origin.first_time);
    text += format("    {}  {} events in {}, {} lost, source {}\n", trace::id_text(origin.id),
                   origin.events, describe_duration(duration), origin.lost,
                   escape_terminal(origin.source));
  }
  if (data.origins.size() > kShown)
    text += format("    and {} more (--json has them all)\n", data.origins.size() - kShown);
  return text;
}

// "  driven from 41 places of code"
std::string driven_text(const model::ModelData& data, const model::DeviceType& type) {
  std::size_t places = model::places_of(data.places, type).size();
  if (places == 0) return {};
  return format(", driven from {} of code", counted(places, "place"));
}

std::string code_text(const model::ModelData& data) {
  if (data.places.empty()) return "not known: no instruction addresses were recorded";
  std::uint32_t limit = data.threshold.strange;
  std::string text = format("devices are driven from {} places", data.places.size());
  if (limit > model::kWindowEvents) return text + "; no number of accesses from others is an alarm";
  return text + format("; {} accesses of {} from others are an alarm", limit, model::kWindowEvents);
}

std::string promise_text(const model::ModelData& data) {
  const model::Threshold& threshold = data.threshold;
  if (threshold.promise.unit == model::Promise::Unit::sessions) {
    return format("alarms in {}, from {} held-out sessions", model::describe(threshold.promise),
                  data.calibration.scores.size());
  }
  if (data.calibration.blocks == 0) return "none: the model was not calibrated";
  std::string text = model::describe(threshold.promise) + " false alarms";
  if (threshold.supported) return text;
  return text + format(", NOT supported by so few data: they support at most {:.3g} in that time",
                       threshold.expected);
}

}  // namespace

std::string render_text(const ModelFacts& facts) {
  const model::ModelData& data = facts.data;
  const model::Calibration& calibration = data.calibration;
  std::string text = format("model {}\n", escape_terminal(facts.path));
  auto line = [&text](std::string_view name, std::string_view value) {
    text += format("  {:<12}{}\n", name, value);
  };
  line("method", format("{}, order {}, one stream a {}", model::name_of(data.options.method),
                        data.options.order, model::name_of(data.options.stream)));
  line("session", data.options.session == model::SessionView::mean
                      ? "scored by the mean of its accesses"
                      : format("scored by its mean and its set of operations, against {} sets",
                               data.sets.size()));
  for (const std::string& name : data.allowed) line("allowed", escape_terminal(name));
  line("alphabet", format("{} operations of {} kinds of devices", data.alphabet.size(),
                          device_types(data).size()));
  line("trained on", format("{} recordings, {} events, {} lost", data.origins.size(),
                            trained_events(data), trained_losses(data)));
  text += origins_text(data);
  line("calibrated", format("{} held-out sessions, {} events, {} blocks", calibration.sessions,
                            calibration.events, calibration.blocks));
  line("promise", promise_text(data));
  if (std::isfinite(data.threshold.session)) {
    line("threshold", format("{:.3f} of a session's score", data.threshold.session));
  } else {
    line("threshold", format("{:.3f} bits, over {} events and longer",
                             model::to_bits(data.threshold.value), model::kWindowEvents));
  }
  line("work", format("the most of a minute, in {} amounts (iovm model show --work lists them)",
                      usual_work(data).size()));
  line("code", code_text(data));
  std::string ranges = merged_text(data);
  line("merged",
       ranges.empty() ? "no addresses" : "addresses that are one operation, with accesses:");
  text += ranges;
  if (facts.bytes > 0) line("file", describe_size(facts.bytes));
  line("devices", "");
  std::vector<model::DeviceType> types = device_types(data);
  for (std::size_t i = 0; i < std::min(types.size(), 2 * kShown); ++i) {
    text += format("    {}{}\n", model::device_name(types[i]), driven_text(data, types[i]));
  }
  if (types.size() > 2 * kShown) text += format("    and {} more\n", types.size() - 2 * kShown);
  return text;
}

std::string render_json(const ModelFacts& facts) {
  const model::ModelData& data = facts.data;
  const model::Threshold& threshold = data.threshold;
  JsonWriter json;
  json.begin_object().member("type", "model").member("path", facts.path);
  json.member("method", model::name_of(data.options.method));
  json.member("order", data.options.order);
  json.member("stream", model::name_of(data.options.stream));
  json.member("session", model::name_of(data.options.session));
  json.member("sets", std::uint64_t{data.sets.size()});
  json.key("allowed").begin_array();
  for (const std::string& name : data.allowed) json.value(name);
  json.end_array();
  json.member("alphabet", std::uint64_t{data.alphabet.size()});
  json.member("events", trained_events(data)).member("lost", trained_losses(data));
  json.key("origins").begin_array();
  for (const model::Origin& origin : data.origins) {
    json.begin_object().member("id", trace::id_text(origin.id)).member("source", origin.source);
    json.member("events", origin.events).member("lost", origin.lost);
    json.member("first_ns", origin.first_time).member("last_ns", origin.last_time).end_object();
  }
  json.end_array().key("calibration").begin_object();
  json.member("sessions", data.calibration.sessions).member("events", data.calibration.events);
  json.member("duration_ns", data.calibration.duration_ns);
  json.member("blocks", data.calibration.blocks).end_object();
  json.key("threshold").begin_object().member("bits", model::to_bits(threshold.value));
  json.member("session", threshold.session).member("strange", threshold.strange);
  json.member("promise", model::describe(threshold.promise));
  json.member("supported", threshold.supported).member("expected", threshold.expected);
  json.end_object().key("merged").begin_array();
  for (const OperationCount& range : merged_ranges(data)) {
    json.begin_object().member("operation", model::short_name(range.operation));
    json.member("words", model::describe(range.operation)).member("count", range.count);
    json.end_object();
  }
  json.end_array().key("devices").begin_array();
  for (const model::DeviceType& type : device_types(data)) {
    json.begin_object().member("key", model::device_key(type));
    json.member("name", model::device_name(type));
    json.member("code_places", std::uint64_t{model::places_of(data.places, type).size()});
    json.end_object();
  }
  json.end_array().member("code_places", std::uint64_t{data.places.size()}).end_object();
  return json.take() + "\n";
}

}  // namespace iovm::analyze
