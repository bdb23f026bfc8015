// SPDX-License-Identifier: Apache-2.0
//
// The plain way to score symbols, to measure ours against: a trie of contexts in an open-addressing
// hash, with a count for each symbol after each, asked for every order and interpolated
// (Witten-Bell) at each symbol. Written to be fast at what it does; nothing is worked out before.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include "flat_map.h"
#include "model/ngrams.h"

namespace iovm::bench {

class HashTrie {
 public:
  // The last symbols of a stream, newest first.
  struct History {
    std::array<model::Symbol, model::kMaxContext> last;
    std::uint32_t length = 0;
  };

  HashTrie(std::uint32_t order, std::size_t symbols)
      : order_(order), uniform_(1 / static_cast<double>(symbols)), nodes_(1) {}

  void count(History& history, model::Symbol symbol) {
    std::uint32_t node = 0;
    for (std::uint32_t depth = 0;; ++depth) {
      auto fresh = static_cast<std::uint32_t>(counts_.size());
      std::uint32_t edge = edges_.find_or_add(key(node, symbol), fresh);
      if (edge == fresh) {
        counts_.push_back(0);
        ++nodes_[node].types;
      }
      ++counts_[edge];
      ++nodes_[node].total;
      if (depth == history.length) break;
      auto made = static_cast<std::uint32_t>(nodes_.size());
      node = children_.find_or_add(key(node, history.last[depth]), made);
      if (node == made) nodes_.push_back({});
    }
    push(history, symbol);
  }

  // In bits.
  double score(History& history, model::Symbol symbol) const {
    double probability = uniform_;
    std::uint32_t node = 0;
    for (std::uint32_t depth = 0;; ++depth) {
      std::uint32_t edge = edges_.find(key(node, symbol));
      auto types = static_cast<double>(nodes_[node].types);
      auto total = static_cast<double>(nodes_[node].total);
      double count = edge == FlatMap::kNone ? 0 : static_cast<double>(counts_[edge]);
      probability = (count + types * probability) / (total + types);
      if (depth == history.length) break;
      node = children_.find(key(node, history.last[depth]));
      if (node == FlatMap::kNone) break;
    }
    push(history, symbol);
    return -std::log2(probability);
  }

 private:
  struct Node {
    std::uint64_t total = 0;
    std::uint64_t types = 0;
  };

  static std::uint64_t key(std::uint32_t node, model::Symbol symbol) {
    return static_cast<std::uint64_t>(node) << 32 | symbol;
  }
  void push(History& history, model::Symbol symbol) const {
    history.length = std::min(history.length + 1, order_);
    for (std::uint32_t i = history.length; i-- > 1;) history.last[i] = history.last[i - 1];
    if (order_ > 0) history.last[0] = symbol;
  }

  std::uint32_t order_;
  double uniform_;
  std::vector<Node> nodes_;
  std::vector<std::uint64_t> counts_;  // by edge
  FlatMap children_;                   // node and the symbol before it: the longer context
  FlatMap edges_;                      // node and the symbol after it
};

}  // namespace iovm::bench
