// SPDX-License-Identifier: Apache-2.0
//
// The set view of sessions: which distinct symbols each session of the training had, in whatever
// order and number, and how far a new session is from the nearest of them. An order-free witness
// beside the chain: a session that runs through known steps but mixes what no normal session mixes
// has a usual score a step and a set like no other (on ADFA-LD the two together separate better
// than either alone, bench/detect.md).
//
// The distance is Jaccard's, with weights: what two sets share by what either has, each symbol
// counted by its information, 1 + log2((sessions + 1) / (those that have it + 1)). What all
// sessions have says little, what few have says much, what none had says the most.
//
// Bounded: beyond kMaxSets different sets those with the smallest hashes are kept, a fair sample
// that does not depend on the order of recordings or merges.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/symbol.h"

namespace iovm::model {

inline constexpr std::size_t kMaxSets = std::size_t{1} << 16;
inline constexpr std::size_t kMaxSetSymbols = std::size_t{1} << 24;  // of all sets together

struct SessionSet {
  std::vector<Symbol> symbols;  // ascending
  std::uint64_t count = 0;      // sessions that had just these

  friend auto operator<=>(const SessionSet&, const SessionSet&) = default;
};

// Ascending by symbols, none twice, none empty.
using SessionSets = std::vector<SessionSet>;

// Brings sets in any order, also the same one several times, into that form. With `hashes`, which
// stand for the symbols however these are numbered, to at most kMaxSets.
SessionSets canonical(SessionSets sets, std::span<const std::uint64_t> hashes = {});
// All symbols replaced by map[symbol], then in order; the sets stay as many.
SessionSets renamed(const SessionSets& sets, std::span<const Symbol> map);

// What a symbol is to a sample, however it is numbered: a hash of its operation.
std::vector<std::uint64_t> symbol_hashes(const std::vector<Operation>& alphabet);

// Ready to be asked; immutable, shared by all streams.
class SetView {
 public:
  SetView(const SessionSets& sets, std::size_t symbols);

  // From the nearest set, 0 the same to 1 nothing in common. `distinct`: the session's known
  // symbols; `unknown`: how many others it has.
  double distance(std::span<const Symbol> distinct, std::size_t unknown) const;

 private:
  std::vector<double> weights_;        // by symbol
  std::vector<std::uint32_t> starts_;  // by symbol, in having_; one more at the end
  std::vector<std::uint32_t> having_;  // the sets that have it
  std::vector<double> totals_;         // weight of each set
  double new_weight_ = 1;              // of a symbol that no session had
};

}  // namespace iovm::model
