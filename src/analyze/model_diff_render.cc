// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "analyze/model_diff.h"
#include "base/format.h"
#include "base/json.h"
#include "base/text.h"

namespace iovm::analyze {
namespace {

constexpr std::size_t kShown = 12;

// "  12.3 %"
std::string percent(std::uint64_t part, std::uint64_t whole) {
  double share = whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
  return format("{:5.1f} %", 100 * share);
}

std::string own_text(const std::vector<OperationCount>& own, const std::string& path,
                     std::uint64_t events) {
  std::string text;
  if (own.empty()) return text;
  text += format("only in {}: {} operations\n", escape_terminal(path), own.size());
  for (std::size_t i = 0; i < std::min(own.size(), kShown); ++i) {
    text += format("  {:>10} {}  {}\n", own[i].count, percent(own[i].count, events),
                   model::describe(own[i].operation));
  }
  if (own.size() > kShown) {
    text += format("  and {} more (--json has them all)\n", own.size() - kShown);
  }
  return text;
}

std::string devices_text(const ModelDiff& diff) {
  std::string text = format("{:<44}{:>11}{:>11}\n", "share of the accesses", "first", "second");
  for (std::size_t i = 0; i < std::min(diff.devices.size(), kShown); ++i) {
    const DeviceChange& change = diff.devices[i];
    std::string line =
        format("  {:<42}{:>11}{:>11}", model::device_name(change.device),
               percent(change.events.a, diff.events.a), percent(change.events.b, diff.events.b));
    if (change.operations.a > 0) line += format("  {} gone", change.operations.a);
    if (change.operations.b > 0) line += format("  {} new", change.operations.b);
    if (change.places.a > 0) line += format("  {} places of code gone", change.places.a);
    if (change.places.b > 0) line += format("  {} places of code new", change.places.b);
    text += line + "\n";
  }
  if (diff.devices.size() > kShown) {
    text += format("  and {} devices more (--json has them all)\n", diff.devices.size() - kShown);
  }
  return text;
}

std::string work_text(const ModelDiff& diff) {
  if (diff.work.empty()) return {};
  std::string text = "the most that a minute of training had:\n";
  for (std::size_t i = 0; i < std::min(diff.work.size(), kShown); ++i) {
    const WorkChange& change = diff.work[i];
    text += format("  {}, {}: {} in the first, {} in the second\n",
                   model::device_name(change.kind.device), describe(change.kind.whose),
                   model::describe(change.quantity, change.first),
                   model::describe(change.quantity, change.second));
  }
  if (diff.work.size() > kShown) {
    text += format("  and {} amounts more (--json has them all)\n", diff.work.size() - kShown);
  }
  return text;
}

std::string places_text(const ModelDiff& diff) {
  auto of = [&diff](std::uint64_t own) { return diff.common_places + own; };
  if (of(diff.own_places.a) == 0 || of(diff.own_places.b) == 0) {
    return format("driven from {} places in the first, {} in the second; 0: not recorded",
                  of(diff.own_places.a), of(diff.own_places.b));
  }
  return format("driven from {} places in both, {} only in the first, {} only in the second",
                diff.common_places, diff.own_places.a, diff.own_places.b);
}

void write_own(JsonWriter& json, std::string_view key, const std::vector<OperationCount>& own) {
  json.key(key).begin_array();
  for (const OperationCount& count : own) {
    json.begin_object().member("operation", model::short_name(count.operation));
    json.member("words", model::describe(count.operation)).member("count", count.count);
    json.end_object();
  }
  json.end_array();
}

template <typename T>
void write_both(JsonWriter& json, std::string_view key, const Both<T>& both) {
  json.key(key).begin_array().value(both.a).value(both.b).end_array();
}

}  // namespace

std::string render_text(const ModelDiff& diff) {
  std::string text;
  auto line = [&text](std::string_view name, std::string_view value) {
    text += format("{:<14}{}\n", name, value);
  };
  line("first", format("{}: {} accesses", escape_terminal(diff.paths.a), diff.events.a));
  line("second", format("{}: {} accesses", escape_terminal(diff.paths.b), diff.events.b));
  if (diff.same()) return text + "no difference\n";
  for (const ModelDiff::OptionChange& option : diff.options) {
    line(option.name, format("{} in the first, {} in the second", option.text.a, option.text.b));
  }
  line("threshold", format("{:.3f} bits an access in the first, {:.3f} in the second",
                           diff.threshold.a, diff.threshold.b));
  if (diff.cost) {
    line("first's work", format("{:.3f} bits an access by its own model, {:.3f} by the second",
                                diff.cost->a.a, diff.cost->a.b));
    line("second's work", format("{:.3f} bits an access by its own model, {:.3f} by the first",
                                 diff.cost->b.a, diff.cost->b.b));
  } else {
    line("work", "not compared: scores of models with different options have no common scale");
  }
  line("operations", format("{} in both, {} only in the first, {} only in the second", diff.common,
                            diff.own.a.size(), diff.own.b.size()));
  line("code", places_text(diff));
  text += devices_text(diff);
  text += work_text(diff);
  text += own_text(diff.own.a, diff.paths.a, diff.events.a);
  text += own_text(diff.own.b, diff.paths.b, diff.events.b);
  return text;
}

std::string render_json(const ModelDiff& diff) {
  JsonWriter json;
  json.begin_object().member("type", "model diff").member("same", diff.same());
  write_both(json, "paths", diff.paths);
  write_both(json, "events", diff.events);
  write_both(json, "threshold_bits", diff.threshold);
  json.key("options").begin_object();
  for (const ModelDiff::OptionChange& option : diff.options) {
    write_both(json, option.name, option.text);
  }
  json.end_object().key("bits_per_access");
  if (diff.cost) {
    json.begin_object().key("first").begin_object().member("own", diff.cost->a.a);
    json.member("other", diff.cost->a.b).end_object();
    json.key("second").begin_object().member("own", diff.cost->b.a);
    json.member("other", diff.cost->b.b).end_object().end_object();
  } else {
    json.null();
  }
  json.member("common_operations", diff.common);
  json.member("common_places", diff.common_places);
  write_both(json, "own_places", diff.own_places);
  write_own(json, "only_first", diff.own.a);
  write_own(json, "only_second", diff.own.b);
  json.key("devices").begin_array();
  for (const DeviceChange& change : diff.devices) {
    json.begin_object().member("key", model::device_key(change.device));
    json.member("name", model::device_name(change.device));
    write_both(json, "events", change.events);
    write_both(json, "own_operations", change.operations);
    write_both(json, "own_places", change.places);
    json.end_object();
  }
  json.end_array().key("work").begin_array();
  for (const WorkChange& change : diff.work) {
    json.begin_object().member("device", model::device_key(change.kind.device));
    json.member("whose", change.kind.whose == model::Whose::actor ? "process" : "all");
    json.member("quantity", model::name_of(change.quantity)).key("usual").begin_array();
    json.value(change.first).value(change.second).end_array().end_object();
  }
  json.end_array().end_object();
  return json.take() + "\n";
}

}  // namespace iovm::analyze
