// SPDX-License-Identifier: Apache-2.0
#include "model/model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

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
// the empty context outwards, where each edge leads, the nodes' tables.
class ModelBuilder {
 public:
  ModelBuilder(Model& model, std::size_t symbols) : model_(model), symbols_(symbols) {
    model_.nodes_.push_back({});
    model_.stories_.push_back({});
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
    compile();
    set_worst();
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
      Model::Node made;
      made.parent = node;
      made.depth = depth;
      model_.nodes_.push_back(made);
      model_.stories_.push_back({oldest, 0});
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
    model_.stories_.push_back({});  // the end of the last node's edges
    std::size_t at = 0;
    for (std::uint32_t node = 0; node < model_.stories_.size(); ++node) {
      while (at < edges_.size() && edges_[at].node < node) ++at;
      model_.stories_[node].first = static_cast<std::uint32_t>(at);
    }
  }

  // Parents come before children, so a node finds its parent's probabilities done.
  void set_probabilities() {
    auto kinds = static_cast<double>(std::max<std::size_t>(symbols_, 1));
    for (std::uint32_t node = 0; node < model_.nodes_.size(); ++node) {
      std::size_t begin = model_.stories_[node].first;
      std::size_t end = model_.stories_[node + 1].first;
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
      std::uint32_t target = child(e.next, model_.stories_[e.node].oldest, false);
      if (target != kNone) e.next = target;
    }
  }

  Model::Edge compiled(const Edge& e) const {
    Bits bits = model_.options_.method == Method::stide ? 0 : bits_of(e.probability);
    if (model_.options_.method == Method::chain) bits = std::min(bits, model_.unknown_);
    return {e.symbol, e.next, bits};
  }

  // Each node's edges: the most frequent into the node, the others into its table.
  void compile() {
    for (const Edge& e : edges_) {
      model_.symbols_.push_back(e.symbol);
      model_.counts_.push_back(e.count);
    }
    for (std::uint32_t node = 0; node < model_.nodes_.size(); ++node) {
      auto begin = edges_.begin() + model_.stories_[node].first;
      auto end = edges_.begin() + model_.stories_[node + 1].first;
      if (begin == end) continue;
      std::stable_sort(begin, end, [](const Edge& a, const Edge& b) { return a.count > b.count; });
      model_.nodes_[node].hot = compiled(*begin);
      fill_table(model_.nodes_[node], {begin + 1, end});
    }
  }

  void fill_table(Model::Node& node, std::span<const Edge> edges) {
    node.table = static_cast<std::uint32_t>(model_.edges_.size());
    if (edges.size() <= Model::kScanned) {
      node.entries = static_cast<std::uint16_t>(edges.size());
      for (const Edge& e : edges) model_.edges_.push_back(compiled(e));
      return;
    }
    unsigned log = 1;
    while ((std::size_t{1} << log) < edges.size() * 2) ++log;
    node.shift = static_cast<std::uint8_t>(32 - log);
    std::size_t size = std::size_t{1} << log;
    model_.edges_.resize(model_.edges_.size() + size);
    Model::Edge* table = model_.edges_.data() + node.table;
    for (const Edge& e : edges) {
      std::size_t at = Model::hash(e.symbol, node.shift);
      while (table[at].symbol != kNoSymbol) at = (at + 1) & (size - 1);
      table[at] = compiled(e);
    }
  }

  // The dearest way down from any node, and then a symbol that is not known.
  void set_worst() {
    std::vector<std::uint64_t> way(model_.nodes_.size(), 0);
    std::uint64_t dearest = 0;
    for (std::size_t node = 1; node < model_.nodes_.size(); ++node) {
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
    : options_(options), context_(options.context()), markov_(options.method == Method::markov) {
  IOVM_ASSERT(ngrams.length == options.context() + 1);
  ModelBuilder builder(*this, symbols);
  builder.count(ngrams);
  builder.finish();
}

std::vector<Symbol> Model::context(const State& state) const {
  std::vector<Symbol> symbols;
  for (std::uint32_t node = state.node; node != 0; node = nodes_[node].parent) {
    symbols.push_back(stories_[node].oldest);
  }
  return symbols;
}

std::uint64_t Model::context_count(const State& state) const {
  std::uint64_t total = 0;
  for (std::size_t i = stories_[state.node].first; i < stories_[state.node + 1].first; ++i) {
    total += counts_[i];
  }
  return total;
}

std::vector<Model::Follower> Model::followers(const State& state, std::size_t most) const {
  std::vector<Follower> all;
  for (std::size_t i = stories_[state.node].first; i < stories_[state.node + 1].first; ++i) {
    all.push_back({symbols_[i], 0, counts_[i]});
  }
  auto kept = all.begin() + static_cast<std::ptrdiff_t>(std::min(most, all.size()));
  std::partial_sort(all.begin(), kept, all.end(), [](const Follower& a, const Follower& b) {
    return a.count != b.count ? a.count > b.count : a.symbol < b.symbol;
  });
  all.erase(kept, all.end());
  for (Follower& f : all) {
    const Edge* edge = find(nodes_[state.node], f.symbol);
    if (options_.method != Method::stide) {
      f.probability = std::exp2(-to_bits(edge->bits));
    } else {
      f.probability = static_cast<double>(f.count) / static_cast<double>(context_count(state));
    }
  }
  return all;
}

}  // namespace iovm::model
