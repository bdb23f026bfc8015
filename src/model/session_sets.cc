// SPDX-License-Identifier: Apache-2.0
#include "model/session_sets.h"

#include <algorithm>
#include <cmath>

namespace iovm::model {
namespace {

constexpr std::uint64_t mix(std::uint64_t h, std::uint64_t value) {
  h = (h ^ value) * 0x9e3779b97f4a7c15;
  return h ^ h >> 29;
}

std::uint64_t hash_of(const SessionSet& set, std::span<const std::uint64_t> hashes) {
  // A sum, so that the order of the symbols does not matter.
  std::uint64_t sum = 0;
  for (Symbol s : set.symbols) sum += mix(1, s < hashes.size() ? hashes[s] : s);
  return mix(2, sum);
}

void put_in_order(SessionSets& sets) {
  std::ranges::sort(sets, {}, &SessionSet::symbols);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < sets.size(); ++i) {
    if (sets[i].symbols.empty() || sets[i].count == 0) continue;
    if (kept > 0 && sets[kept - 1].symbols == sets[i].symbols) {
      sets[kept - 1].count += sets[i].count;
      continue;
    }
    if (kept != i) sets[kept] = std::move(sets[i]);
    ++kept;
  }
  sets.resize(kept);
}

void take_sample(SessionSets& sets, std::span<const std::uint64_t> hashes) {
  std::vector<std::pair<std::uint64_t, std::size_t>> order;
  for (std::size_t i = 0; i < sets.size(); ++i) order.emplace_back(hash_of(sets[i], hashes), i);
  std::ranges::sort(order);
  order.resize(std::min(order.size(), kMaxSets));
  SessionSets sample;
  std::size_t room = kMaxSetSymbols;
  for (const auto& [hash, i] : order) {
    if (sets[i].symbols.size() > room) break;
    room -= sets[i].symbols.size();
    sample.push_back(std::move(sets[i]));
  }
  sets = std::move(sample);
  put_in_order(sets);
}

double weight(double sessions, double having) {
  return 1 + std::log2((sessions + 1) / (having + 1));
}

}  // namespace

SessionSets canonical(SessionSets sets, std::span<const std::uint64_t> hashes) {
  put_in_order(sets);
  std::size_t symbols = 0;
  for (const SessionSet& set : sets) symbols += set.symbols.size();
  if (hashes.empty()) return sets;
  if (sets.size() > kMaxSets || symbols > kMaxSetSymbols) take_sample(sets, hashes);
  return sets;
}

SessionSets renamed(const SessionSets& sets, std::span<const Symbol> map) {
  SessionSets out = sets;
  for (SessionSet& set : out) {
    for (Symbol& symbol : set.symbols) symbol = map[symbol];
    std::ranges::sort(set.symbols);
  }
  put_in_order(out);
  return out;
}

std::vector<std::uint64_t> symbol_hashes(const std::vector<Operation>& alphabet) {
  std::vector<std::uint64_t> out(kFirstSymbol, 0);
  for (const Operation& o : alphabet) {
    std::uint64_t h = mix(static_cast<std::uint64_t>(o.device.bus), o.device.vendor);
    h = mix(mix(h, o.device.number), static_cast<std::uint64_t>(o.space));
    h = mix(mix(h, static_cast<std::uint64_t>(o.direction)), o.size);
    out.push_back(mix(mix(mix(mix(h, o.marks), o.index), o.reg), o.value));
  }
  return out;
}

SetView::SetView(const SessionSets& sets, std::size_t symbols)
    : weights_(symbols, 0), starts_(symbols + 1, 0) {
  std::vector<double> having(symbols, 0);
  double sessions = 0;
  for (const SessionSet& set : sets) {
    sessions += static_cast<double>(set.count);
    for (Symbol s : set.symbols) {
      having[s] += static_cast<double>(set.count);
      ++starts_[s + 1];
    }
  }
  for (std::size_t s = 0; s < symbols; ++s) {
    weights_[s] = weight(sessions, having[s]);
    starts_[s + 1] += starts_[s];
  }
  new_weight_ = weight(sessions, 0);
  having_.resize(starts_.back());
  std::vector<std::uint32_t> at(starts_.begin(), starts_.end() - 1);
  for (std::uint32_t i = 0; i < sets.size(); ++i) {
    double total = 0;
    for (Symbol s : sets[i].symbols) {
      having_[at[s]++] = i;
      total += weights_[s];
    }
    totals_.push_back(total);
  }
}

double SetView::distance(std::span<const Symbol> distinct, std::size_t unknown) const {
  std::vector<double> shared(totals_.size(), 0);
  double total = static_cast<double>(unknown) * new_weight_;
  for (Symbol s : distinct) {
    total += weights_[s];
    for (std::uint32_t i = starts_[s]; i < starts_[s + 1]; ++i) shared[having_[i]] += weights_[s];
  }
  double most = 0;
  for (std::size_t i = 0; i < totals_.size(); ++i) {
    if (shared[i] > 0) most = std::max(most, shared[i] / (total + totals_[i] - shared[i]));
  }
  return std::max(0.0, 1 - most);
}

}  // namespace iovm::model
