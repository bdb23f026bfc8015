// SPDX-License-Identifier: Apache-2.0
//
// What training counted: how often each sequence of `length` symbols occurred. Every event of a
// stream ends exactly one n-gram, the longest one there is at its place: at the start of a stream,
// or after a loss, it is shorter and filled up with kNoSymbol in front. All shorter sequences
// follow from these by summing up, so one counter per event is enough, and adding the counts of two
// trainings gives exactly the counts of training on both.
//
// The form is canonical: sorted, no n-gram twice, no count of zero.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/symbol.h"

namespace iovm::model {

inline constexpr Symbol kNoSymbol = 0xffffffff;
inline constexpr std::size_t kMaxContext = 15;
inline constexpr std::size_t kMaxNgrams = std::size_t{1} << 22;

struct Ngrams {
  std::uint32_t length = 0;           // context and the symbol after it: 1 ... kMaxContext + 1
  std::vector<Symbol> symbols;        // `length` for each n-gram, oldest first
  std::vector<std::uint64_t> counts;  // one for each

  std::size_t size() const { return counts.size(); }
  std::span<const Symbol> at(std::size_t i) const {
    return std::span(symbols).subspan(i * length, length);
  }

  friend bool operator==(const Ngrams&, const Ngrams&) = default;
};

// Brings n-grams in any order, also the same one several times, into the canonical form.
Ngrams canonical(const Ngrams& ngrams);
// All symbols replaced by map[symbol] (kNoSymbol stays), then canonical.
Ngrams renamed(const Ngrams& ngrams, std::span<const Symbol> map);
// The sum of both, canonical. The lengths must be equal.
Ngrams merged(const Ngrams& a, const Ngrams& b);
// `whole` less `part`, which is in it, canonical. The lengths must be equal.
Ngrams without(const Ngrams& whole, const Ngrams& part);

// The same events counted with `length` symbols, no longer than in.length: the oldest are left out.
Ngrams shortened(const Ngrams& in, std::uint32_t length);

}  // namespace iovm::model
