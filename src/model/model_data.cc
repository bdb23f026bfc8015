// SPDX-License-Identifier: Apache-2.0
#include "model/model_data.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/format.h"
#include "base/text.h"

namespace iovm::model {
namespace {

struct NamedSpan {
  std::string_view name;
  std::uint64_t ns;
};
constexpr std::uint64_t kSecond = 1000000000;
constexpr NamedSpan kSpans[] = {{"second", kSecond},
                                {"minute", 60 * kSecond},
                                {"hour", 3600 * kSecond},
                                {"day", 86400 * kSecond},
                                {"week", 604800 * kSecond}};

std::optional<double> parse_number(std::string_view text) {
  double number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// "1M", "500K", "2000": a number of events.
std::optional<std::uint64_t> parse_event_count(std::string_view text) {
  std::uint64_t factor = 1;
  if (text.ends_with('K')) factor = 1000;
  if (text.ends_with('M')) factor = 1000000;
  if (text.ends_with('G')) factor = 1000000000;
  if (factor != 1) text.remove_suffix(1);
  auto number = parse_unsigned(text);
  if (!number || *number == 0 || *number > 1000000000000) return std::nullopt;
  return *number * factor;
}

// "0.1": so many of a hundred sessions.
Result<Promise> parse_share(std::string_view text, const Error& wrong) {
  auto share = parse_number(text);
  if (!share || !std::isfinite(*share) || *share <= 0 || *share >= 100) return wrong;
  return Promise{*share / 100, 1, Promise::Unit::sessions};
}

// Alphabets of two models as one, and where the symbols of one go.
std::vector<Symbol> symbol_map(const std::vector<Operation>& from,
                               const std::vector<Operation>& to) {
  std::vector<Symbol> map(kFirstSymbol + from.size(), kOverflow);
  for (std::size_t i = 0; i < from.size(); ++i) {
    auto it = std::lower_bound(to.begin(), to.end(), from[i]);
    map[kFirstSymbol + i] = static_cast<Symbol>(it - to.begin()) + kFirstSymbol;
  }
  return map;
}

}  // namespace

Result<Promise> parse_promise(std::string_view text) {
  Error wrong = usage_error(iovm::format(
      "\"{}\" is no rate of alarms (1/day, 3/hour, 1/week, 2/12h, 5/1M events, 0.1% of "
      "sessions)",
      escape_terminal(text)));
  if (text.ends_with('%')) return parse_share(text.substr(0, text.size() - 1), wrong);
  std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return wrong;
  auto alarms = parse_number(text.substr(0, slash));
  if (!alarms || !std::isfinite(*alarms) || *alarms <= 0 || *alarms > 1e9) return wrong;
  std::string_view per = text.substr(slash + 1);
  Promise promise;
  promise.alarms = *alarms;
  for (const NamedSpan& span : kSpans) {
    if (span.name == per) {
      promise.per = span.ns;
      return promise;
    }
  }
  if (auto events = parse_event_count(per)) {
    promise.per = *events;
    promise.unit = Promise::Unit::events;
    return promise;
  }
  auto duration = parse_duration(per);
  if (!duration || duration->count() <= 0) return wrong;
  promise.per = static_cast<std::uint64_t>(duration->count());
  return promise;
}

std::string describe(const Promise& promise) {
  if (promise.unit == Promise::Unit::events) {
    return iovm::format("{:g} per {} events", promise.alarms, promise.per);
  }
  if (promise.unit == Promise::Unit::sessions) {
    return iovm::format("{:g}% of sessions", promise.alarms * 100);
  }
  for (const NamedSpan& span : kSpans) {
    if (span.ns == promise.per) return iovm::format("{:g}/{}", promise.alarms, span.name);
  }
  return iovm::format(
      "{:g} per {}", promise.alarms,
      describe_duration(std::chrono::nanoseconds(static_cast<std::int64_t>(promise.per))));
}

double p_value(const Calibration& calibration, Bits score) {
  // The sample is sorted downwards; what is not in it is below all of it.
  auto at_least = std::upper_bound(calibration.largest.begin(), calibration.largest.end(), score,
                                   std::greater<>());
  auto count = static_cast<std::uint64_t>(at_least - calibration.largest.begin());
  if (count == calibration.largest.size()) {
    bool all = calibration.blocks > count && !calibration.largest.empty() &&
               score < calibration.largest.back();
    if (all) count = calibration.blocks;
  }
  return static_cast<double>(count + 1) / static_cast<double>(calibration.blocks + 1);
}

double strange_p_value(const Calibration& calibration, std::uint32_t strange) {
  std::uint64_t count = 0, blocks = 0;
  for (std::size_t i = 0; i < calibration.strange.size(); ++i) {
    blocks += calibration.strange[i];
    count += i >= strange ? calibration.strange[i] : 0;
  }
  return static_cast<double>(count + 1) / static_cast<double>(blocks + 1);
}

double session_p_value(const Calibration& calibration, double score) {
  auto end = std::upper_bound(calibration.scores.begin(), calibration.scores.end(), score,
                              std::greater<>());
  auto count = static_cast<double>(end - calibration.scores.begin());
  return (count + 1) / (static_cast<double>(calibration.scores.size()) + 1);
}

Result<ModelData> merge(const ModelData& a, const ModelData& b) {
  if (a.options != b.options) {
    return input_error(
        "the models were made with different options (method, order, streams, symbols or "
        "sessions); "
        "train both with the same ones");
  }
  ModelData out;
  out.options = a.options;
  std::ranges::set_union(a.alphabet, b.alphabet, std::back_inserter(out.alphabet));
  if (out.alphabet.size() + kFirstSymbol > kMaxSymbols) {
    return input_error("the models together have too many different operations");
  }
  std::vector<Symbol> from_a = symbol_map(a.alphabet, out.alphabet);
  std::vector<Symbol> from_b = symbol_map(b.alphabet, out.alphabet);
  out.ngrams = merged(renamed(a.ngrams, from_a), renamed(b.ngrams, from_b));
  out.sets = renamed(a.sets, from_a);
  std::ranges::copy(renamed(b.sets, from_b), std::back_inserter(out.sets));
  out.sets = canonical(std::move(out.sets), symbol_hashes(out.alphabet));
  out.volumes = merged(a.volumes, b.volumes);
  if (out.volumes.size() > kMaxVolumeRows) {
    return input_error("the models together have too many kinds of devices");
  }
  out.places = merged(a.places, b.places);
  if (out.places.size() > kMaxPlaces) {
    return input_error("the models together have too many places of code");
  }
  std::ranges::set_union(a.allowed, b.allowed, std::back_inserter(out.allowed));
  if (out.ngrams.size() > kMaxNgrams) {
    return input_error("the models together have too many different sequences");
  }
  std::ranges::merge(a.origins, b.origins, std::back_inserter(out.origins));
  const ModelData& more = b.calibration.events > a.calibration.events ? b : a;
  out.calibration = more.calibration;
  out.threshold = more.threshold;
  return out;
}

}  // namespace iovm::model
