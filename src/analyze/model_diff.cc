// SPDX-License-Identifier: Apache-2.0
#include "analyze/model_diff.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/format.h"
#include "detect/known_accesses.h"

namespace iovm::analyze {
namespace {

std::uint64_t total(const std::vector<OperationCount>& counts) {
  std::uint64_t sum = 0;
  for (const OperationCount& count : counts) sum += count.count;
  return sum;
}

// The symbols of `from`'s alphabet as `to` knows them; what it does not know is by how new it is.
std::vector<model::Symbol> translation(const model::ModelData& from, const model::ModelData& to) {
  std::vector<model::Symbol> map(model::kFirstSymbol);
  for (model::Symbol symbol = 0; symbol < model::kFirstSymbol; ++symbol) map[symbol] = symbol;
  detect::KnownAccesses known(to.alphabet);
  for (const model::Operation& operation : from.alphabet) map.push_back(known.symbol(operation));
  return map;
}

// The mean score of the accesses that `work` was trained on, each after its own context.
double cost_under(const model::ModelData& judge, const model::ModelData& work) {
  model::Model model = judge.model();
  std::vector<model::Symbol> map = translation(work, judge);
  double bits = 0;
  double accesses = 0;
  for (std::size_t i = 0; i < work.ngrams.size(); ++i) {
    model::State state;
    model::Score score;
    for (model::Symbol symbol : work.ngrams.at(i)) {
      if (symbol == model::kNoSymbol) continue;
      model::State next;
      score = model.score(state, map[symbol], next);
      state = next;
    }
    auto times = static_cast<double>(work.ngrams.counts[i]);
    bits += times * model::to_bits(score.bits);
    accesses += times;
  }
  return accesses > 0 ? bits / accesses : 0;
}

std::string_view scheme_name(model::Scheme scheme) {
  return scheme == model::Scheme::devices ? "devices" : "addresses";
}

void compare_options(const model::Options& a, const model::Options& b, ModelDiff& diff) {
  auto note = [&diff](std::string_view name, std::string_view of_a, std::string_view of_b) {
    if (of_a == of_b) return;
    diff.options.push_back({std::string(name), {std::string(of_a), std::string(of_b)}});
  };
  note("method", name_of(a.method), name_of(b.method));
  note("order", std::to_string(a.order), std::to_string(b.order));
  note("stream", name_of(a.stream), name_of(b.stream));
  note("symbols", scheme_name(a.scheme), scheme_name(b.scheme));
  note("session", name_of(a.session), name_of(b.session));
}

void sort_by_count(std::vector<OperationCount>& counts) {
  std::ranges::stable_sort(counts, std::greater<>(), &OperationCount::count);
}

// Both alphabets are sorted: one walk along the two.
void compare_operations(const std::vector<OperationCount>& a, const std::vector<OperationCount>& b,
                        ModelDiff& diff) {
  auto x = a.begin();
  auto y = b.begin();
  while (x != a.end() || y != b.end()) {
    if (y == b.end() || (x != a.end() && x->operation < y->operation)) {
      diff.own.a.push_back(*x++);
    } else if (x == a.end() || y->operation < x->operation) {
      diff.own.b.push_back(*y++);
    } else {
      ++diff.common;
      ++x;
      ++y;
    }
  }
}

double share(std::uint64_t part, std::uint64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}

using DeviceChanges = std::map<model::DeviceType, DeviceChange>;

// The places of `a` that `b` has not, by device; gives how many places both have.
std::uint64_t compare_places(const model::Places& a, const model::Places& b,
                             std::uint64_t Both<std::uint64_t>::*whose, ModelDiff& diff,
                             DeviceChanges& devices) {
  std::uint64_t common = 0;
  for (const model::PlaceRow& row : a) {
    if (model::contains(b, row.device, row.place)) {
      ++common;
      continue;
    }
    ++(diff.own_places.*whose);
    DeviceChange& change = devices[row.device];
    change.device = row.device;
    ++(change.places.*whose);
  }
  return common;
}

void compare_devices(const std::vector<OperationCount>& a, const std::vector<OperationCount>& b,
                     DeviceChanges devices, ModelDiff& diff) {
  auto at = [&devices](const OperationCount& count) -> DeviceChange& {
    DeviceChange& change = devices[count.operation.device];
    change.device = count.operation.device;
    return change;
  };
  for (const OperationCount& count : a) at(count).events.a += count.count;
  for (const OperationCount& count : b) at(count).events.b += count.count;
  for (const OperationCount& count : diff.own.a) ++at(count).operations.a;
  for (const OperationCount& count : diff.own.b) ++at(count).operations.b;
  for (const auto& [type, change] : devices) diff.devices.push_back(change);
  Both<std::uint64_t> all{total(a), total(b)};
  std::ranges::stable_sort(diff.devices, std::greater<>(), [&all](const DeviceChange& change) {
    return std::abs(share(change.events.a, all.a) - share(change.events.b, all.b));
  });
}

}  // namespace

std::vector<OperationCount> operation_counts(const model::ModelData& data) {
  std::vector<OperationCount> counts;
  counts.reserve(data.alphabet.size());
  for (const model::Operation& operation : data.alphabet) counts.push_back({operation, 0});
  for (std::size_t i = 0; i < data.ngrams.size(); ++i) {
    model::Symbol last = data.ngrams.at(i).back();
    if (last >= model::kFirstSymbol && last < data.symbols()) {
      counts[last - model::kFirstSymbol].count += data.ngrams.counts[i];
    }
  }
  return counts;
}

bool ModelDiff::same() const {
  auto equal = [](const DeviceChange& change) { return change.events.a == change.events.b; };
  return options.empty() && own.a.empty() && own.b.empty() && threshold.a == threshold.b &&
         own_places.a == 0 && own_places.b == 0 && std::ranges::all_of(devices, equal);
}

ModelDiff compare(const model::ModelData& a, const model::ModelData& b, Both<std::string> paths) {
  ModelDiff diff;
  diff.paths = std::move(paths);
  diff.threshold = {model::to_bits(a.threshold.value), model::to_bits(b.threshold.value)};
  compare_options(a.options, b.options, diff);
  std::vector<OperationCount> of_a = operation_counts(a);
  std::vector<OperationCount> of_b = operation_counts(b);
  diff.events = {total(of_a), total(of_b)};
  compare_operations(of_a, of_b, diff);
  using Counts = Both<std::uint64_t>;
  DeviceChanges devices;
  diff.common_places = compare_places(a.places, b.places, &Counts::a, diff, devices);
  compare_places(b.places, a.places, &Counts::b, diff, devices);
  compare_devices(of_a, of_b, std::move(devices), diff);
  sort_by_count(diff.own.a);
  sort_by_count(diff.own.b);
  diff.work = work_changes(a, b);
  if (a.options == b.options) {
    diff.cost = {{cost_under(a, a), cost_under(b, a)}, {cost_under(b, b), cost_under(a, b)}};
  }
  return diff;
}

}  // namespace iovm::analyze
