// SPDX-License-Identifier: Apache-2.0
#include "model/ngrams.h"

#include <algorithm>

#include "base/assert.h"
#include "model/counting_sort.h"

namespace iovm::model {

namespace {

// Lexicographic by symbols, kNoSymbol last.
std::vector<std::uint32_t> sorted(const Ngrams& in) {
  std::size_t symbols = 0;
  for (Symbol symbol : in.symbols) {
    if (symbol != kNoSymbol) symbols = std::max<std::size_t>(symbols, std::size_t{symbol} + 1);
  }
  CountingSort sort(in.size());
  for (std::uint32_t column = in.length; column-- > 0;) {
    sort.by(symbols + 1, [&](std::uint32_t i) {
      return std::min<std::size_t>(in.symbols[std::size_t{i} * in.length + column], symbols);
    });
  }
  return sort.order();
}

}  // namespace

Ngrams canonical(const Ngrams& in) {
  Ngrams out{in.length, {}, {}};
  out.symbols.reserve(in.symbols.size());
  out.counts.reserve(in.counts.size());
  for (std::uint32_t i : sorted(in)) {
    if (in.counts[i] == 0) continue;
    if (!out.counts.empty() && std::ranges::equal(out.at(out.size() - 1), in.at(i))) {
      out.counts.back() += in.counts[i];
      continue;
    }
    std::span<const Symbol> symbols = in.at(i);
    out.symbols.insert(out.symbols.end(), symbols.begin(), symbols.end());
    out.counts.push_back(in.counts[i]);
  }
  return out;
}

Ngrams renamed(const Ngrams& in, std::span<const Symbol> map) {
  Ngrams out = in;
  for (Symbol& symbol : out.symbols) {
    if (symbol != kNoSymbol) symbol = map[symbol];
  }
  return canonical(out);
}

Ngrams merged(const Ngrams& a, const Ngrams& b) {
  IOVM_ASSERT(a.length == b.length);
  Ngrams both{a.length, {}, {}};
  both.symbols.reserve(a.symbols.size() + b.symbols.size());
  both.counts.reserve(a.counts.size() + b.counts.size());
  auto put = [&both](std::span<const Symbol> symbols, std::uint64_t count) {
    both.symbols.insert(both.symbols.end(), symbols.begin(), symbols.end());
    both.counts.push_back(count);
  };
  std::size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    std::span<const Symbol> x = a.at(i), y = b.at(j);
    auto order = std::lexicographical_compare_three_way(x.begin(), x.end(), y.begin(), y.end());
    if (order < 0) {
      put(x, a.counts[i++]);
    } else if (order > 0) {
      put(y, b.counts[j++]);
    } else {
      put(x, a.counts[i++] + b.counts[j++]);
    }
  }
  for (; i < a.size(); ++i) put(a.at(i), a.counts[i]);
  for (; j < b.size(); ++j) put(b.at(j), b.counts[j]);
  return both;
}

Ngrams without(const Ngrams& whole, const Ngrams& part) {
  IOVM_ASSERT(whole.length == part.length);
  Ngrams out{whole.length, {}, {}};
  std::size_t next = 0;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::uint64_t count = whole.counts[i];
    if (next < part.size() && std::ranges::equal(whole.at(i), part.at(next))) {
      count -= part.counts[next++];
    }
    if (count == 0) continue;
    out.symbols.insert(out.symbols.end(), whole.at(i).begin(), whole.at(i).end());
    out.counts.push_back(count);
  }
  IOVM_ASSERT(next == part.size());
  return out;
}

Ngrams shortened(const Ngrams& in, std::uint32_t length) {
  IOVM_ASSERT(length >= 1 && length <= in.length);
  if (length == in.length) return in;
  Ngrams out{length, {}, in.counts};
  out.symbols.reserve(in.size() * length);
  for (std::size_t i = 0; i < in.size(); ++i) {
    std::span<const Symbol> kept = in.at(i).last(length);
    out.symbols.insert(out.symbols.end(), kept.begin(), kept.end());
  }
  return canonical(out);
}

}  // namespace iovm::model
