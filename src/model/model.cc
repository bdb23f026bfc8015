// SPDX-License-Identifier: Apache-2.0
#include "model/model.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/assert.h"
#include "model/counting_sort.h"
#include "model/flat_map.h"

namespace iovm::model {
namespace {

constexpr std::array<std::string_view, kMethods> kMethodNames = {"markov", "chain", "stide"};
// What a chain's transition that was never seen counts as: one in a million.
constexpr double kChainFloor = 1e-6;
constexpr double kLargestBits = 4096;

Bits bits_of(double probability) {
  double bits = -std::log2(probability);
  return static_cast<Bits>(std::lround(std::clamp(bits, 0.0, kLargestBits) * kOneBit));
}

// What a symbol costs that training never saw; its probability counts for markov only.
Bits price_of_unknown(Method m, double probability) {
  if (m == Method::stide) return kOneBit;
  return bits_of(m == Method::chain ? kChainFloor : probability);
}

}  // namespace

std::string_view name_of(Method m) {
  return kMethodNames[static_cast<std::size_t>(m)];
}

std::string_view name_of(SessionView view) {
  return view == SessionView::mean ? "mean" : "combined";
}

std::optional<Method> method(std::string_view name) {
  for (std::size_t i = 0; i < kMethodNames.size(); ++i) {
    if (kMethodNames[i] == name) return static_cast<Method>(i);
  }
  return std::nullopt;
}

std::uint32_t usual_order(Method m) {
  switch (m) {
    case Method::markov:
      return 5;
    case Method::chain:
      return 3;
    case Method::stide:
      return 6;
  }
  return 5;
}

// Turns counts into the automaton, step by step: contexts and what follows them, probabilities from
// the empty context outwards, where each edge leads, the hash.
class ModelBuilder {
 public:
  ModelBuilder(Model& model, std::size_t symbols) : model_(model), symbols_(symbols) {
    model_.nodes_.push_back({});
  }

  void count(const Ngrams& ngrams) {
    for (std::size_t i = 0; i < ngrams.size(); ++i) {
      std::span<const Symbol> gram = ngrams.at(i);
      std::uint32_t node = 0;
      add_edge(node, gram.back(), ngrams.counts[i]);
      for (std::size_t at = gram.size() - 1; at-- > 0 && gram[at] != kNoSymbol;) {
        node = child(node, gram[at], true);
        add_edge(node, gram.back(), ngrams.counts[i]);
      }
    }
  }

  void finish() {
    sort_edges();
    set_probabilities();
    set_targets();
    fill_hash();
  }

 private:
  struct Edge {
    std::uint32_t node = 0;
    Symbol symbol = 0;
    std::uint64_t count = 0;
    double probability = 0;
    std::uint32_t next = 0;
  };
  static constexpr std::uint32_t kNone = FlatMap::kNone;

  static std::uint64_t key(std::uint32_t node, Symbol symbol) {
    return static_cast<std::uint64_t>(node) << 32 | symbol;
  }

  // The node of the context with `oldest` put before it.
  std::uint32_t child(std::uint32_t node, Symbol oldest, bool make) {
    if (!make) return children_.find(key(node, oldest));
    auto fresh = static_cast<std::uint32_t>(model_.nodes_.size());
    std::uint32_t number = children_.find_or_add(key(node, oldest), fresh);
    if (number == fresh) {
      auto depth = static_cast<std::uint8_t>(model_.nodes_[node].depth + 1);
      model_.nodes_.push_back({node, oldest, 0, 0, depth});
    }
    return number;
  }

  void add_edge(std::uint32_t node, Symbol symbol, std::uint64_t count) {
    auto fresh = static_cast<std::uint32_t>(edges_.size());
    std::uint32_t number = edge_index_.find_or_add(key(node, symbol), fresh);
    if (number == fresh) edges_.push_back({node, symbol, 0, 0, 0});
    edges_[number].count += count;
  }

  Edge* edge(std::uint32_t node, Symbol symbol) {
    std::uint32_t number = edge_index_.find(key(node, symbol));
    return number == kNone ? nullptr : &edges_[number];
  }

  void sort_edges() {
    CountingSort sort(edges_.size());
    sort.by(symbols_, [this](std::uint32_t i) { return std::size_t{edges_[i].symbol}; });
    sort.by(model_.nodes_.size(), [this](std::uint32_t i) { return std::size_t{edges_[i].node}; });
    std::vector<Edge> sorted;
    sorted.reserve(edges_.size());
    for (std::uint32_t i : sort.order()) sorted.push_back(edges_[i]);
    edges_ = std::move(sorted);
    edge_index_ = {};
    for (std::uint32_t i = 0; i < edges_.size(); ++i) {
      edge_index_.find_or_add(key(edges_[i].node, edges_[i].symbol), i);
    }
    model_.nodes_.push_back({});  // the end of the last node's edges
    std::size_t at = 0;
    for (std::uint32_t node = 0; node < model_.nodes_.size(); ++node) {
      while (at < edges_.size() && edges_[at].node < node) ++at;
      model_.nodes_[node].first_edge = static_cast<std::uint32_t>(at);
    }
  }

  // Parents come before children, so a node finds its parent's probabilities done.
  void set_probabilities() {
    auto kinds = static_cast<double>(std::max<std::size_t>(symbols_, 1));
    for (std::uint32_t node = 0; node + 1 < model_.nodes_.size(); ++node) {
      std::size_t begin = model_.nodes_[node].first_edge;
      std::size_t end = model_.nodes_[node + 1].first_edge;
      double total = 0;
      for (std::size_t i = begin; i < end; ++i) total += static_cast<double>(edges_[i].count);
      auto types = static_cast<double>(end - begin);
      double rest = end == begin ? 1 : types / (total + types);
      for (std::size_t i = begin; i < end; ++i) {
        double shorter =
            node == 0 ? 1 / kinds : edge(model_.nodes_[node].parent, edges_[i].symbol)->probability;
        auto count = static_cast<double>(edges_[i].count);
        edges_[i].probability = model_.options_.method == Method::markov
                                    ? count / (total + types) + rest * shorter
                                    : count / total;
      }
      if (model_.options_.method == Method::markov) model_.nodes_[node].miss = bits_of(rest);
      if (node == 0) set_unknown(rest / kinds);
    }
  }

  void set_unknown(double probability) {
    model_.unknown_ = price_of_unknown(model_.options_.method, probability);
  }

  // After "context, symbol" the state is the longest known context that ends so. What the parent's
  // edge leads to is that for the context without its oldest symbol; one step more if that is
  // complete and known with it.
  void set_targets() {
    std::uint32_t longest = model_.options_.context();
    for (Edge& e : edges_) {
      const Model::Node& node = model_.nodes_[e.node];
      if (node.depth == 0) {
        std::uint32_t target = longest == 0 ? kNone : child(0, e.symbol, false);
        e.next = target == kNone ? 0 : target;
        continue;
      }
      e.next = edge(node.parent, e.symbol)->next;
      if (model_.nodes_[e.next].depth != node.depth || node.depth >= longest) continue;
      std::uint32_t target = child(e.next, node.oldest, false);
      if (target != kNone) e.next = target;
    }
  }

  void fill_hash() {
    std::size_t size = 16;
    while (size < edges_.size() * 2) size *= 2;
    model_.slots_.assign(size, {});
    model_.mask_ = size - 1;
    for (const Edge& e : edges_) {
      Bits bits = model_.options_.method == Method::stide ? 0 : bits_of(e.probability);
      if (model_.options_.method == Method::chain) bits = std::min(bits, model_.unknown_);
      std::uint64_t h = key(e.node, e.symbol) * 0x9e3779b97f4a7c15;
      std::size_t at = (h ^ h >> 32) & model_.mask_;
      while (model_.slots_[at].key != ~std::uint64_t{0}) at = (at + 1) & model_.mask_;
      model_.slots_[at] = {key(e.node, e.symbol), e.next, bits};
      model_.symbols_.push_back(e.symbol);
      model_.counts_.push_back(e.count);
    }
    set_worst();
  }

  // The dearest way down from any node, and then a symbol that is not known.
  void set_worst() {
    std::vector<std::uint64_t> way(model_.nodes_.size(), 0);
    std::uint64_t dearest = 0;
    for (std::size_t node = 1; node + 1 < model_.nodes_.size(); ++node) {
      way[node] = way[model_.nodes_[node].parent] + model_.nodes_[node].miss;
      dearest = std::max(dearest, way[node]);
    }
    model_.worst_ = static_cast<Bits>(dearest) + model_.unknown_;
  }

  Model& model_;
  std::size_t symbols_;
  FlatMap children_;
  FlatMap edge_index_;
  std::vector<Edge> edges_;
};

Bits unknown_price(const Options& options, const Ngrams& ngrams, std::size_t symbols) {
  std::vector<bool> seen(symbols, false);
  double types = 0, total = 0;
  for (std::size_t i = 0; i < ngrams.size(); ++i) {
    Symbol symbol = ngrams.at(i).back();
    if (!seen[symbol]) ++types;
    seen[symbol] = true;
    total += static_cast<double>(ngrams.counts[i]);
  }
  double rest = total == 0 ? 1 : types / (total + types);
  return price_of_unknown(options.method,
                          rest / static_cast<double>(std::max<std::size_t>(symbols, 1)));
}

Model::Model(const Options& options, const Ngrams& ngrams, std::size_t symbols)
    : options_(options) {
  IOVM_ASSERT(ngrams.length == options.context() + 1);
  ModelBuilder builder(*this, symbols);
  builder.count(ngrams);
  builder.finish();
}

std::vector<Symbol> Model::context(const State& state) const {
  std::vector<Symbol> symbols;
  for (std::uint32_t node = state.node; node != 0; node = nodes_[node].parent) {
    symbols.push_back(nodes_[node].oldest);
  }
  return symbols;
}

std::uint64_t Model::context_count(const State& state) const {
  std::uint64_t total = 0;
  for (std::size_t i = nodes_[state.node].first_edge; i < nodes_[state.node + 1].first_edge; ++i) {
    total += counts_[i];
  }
  return total;
}

std::vector<Model::Follower> Model::followers(const State& state, std::size_t most) const {
  std::vector<Follower> all;
  for (std::size_t i = nodes_[state.node].first_edge; i < nodes_[state.node + 1].first_edge; ++i) {
    all.push_back({symbols_[i], 0, counts_[i]});
  }
  auto kept = all.begin() + static_cast<std::ptrdiff_t>(std::min(most, all.size()));
  std::partial_sort(all.begin(), kept, all.end(), [](const Follower& a, const Follower& b) {
    return a.count != b.count ? a.count > b.count : a.symbol < b.symbol;
  });
  all.erase(kept, all.end());
  for (Follower& f : all) {
    const Slot* slot = find(state.node, f.symbol);
    if (options_.method != Method::stide) {
      f.probability = std::exp2(-to_bits(slot->bits));
    } else {
      f.probability = static_cast<double>(f.count) / static_cast<double>(context_count(state));
    }
  }
  return all;
}

}  // namespace iovm::model
