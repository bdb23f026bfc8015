// SPDX-License-Identifier: Apache-2.0
#include "model/ngrams.h"

#include <algorithm>
#include <numeric>

#include "base/assert.h"

namespace iovm::model {

Ngrams canonical(const Ngrams& in) {
  std::vector<std::uint32_t> order(in.size());
  std::iota(order.begin(), order.end(), std::uint32_t{0});
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return std::ranges::lexicographical_compare(in.at(a), in.at(b));
  });
  Ngrams out{in.length, {}, {}};
  out.symbols.reserve(in.symbols.size());
  out.counts.reserve(in.counts.size());
  for (std::uint32_t i : order) {
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
  Ngrams both = a;
  both.symbols.insert(both.symbols.end(), b.symbols.begin(), b.symbols.end());
  both.counts.insert(both.counts.end(), b.counts.begin(), b.counts.end());
  return canonical(both);
}

}  // namespace iovm::model
