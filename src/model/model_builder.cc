// SPDX-License-Identifier: Apache-2.0
#include "model/model_builder.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "model/counting_sort.h"

namespace iovm::model {
namespace {

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

void ModelBuilder::build(const Ngrams& ngrams) {
  sort(ngrams);
  model_.nodes_.push_back({});
  model_.stories_.push_back({});
  latest_.assign(symbols_, 0);
  for (std::uint32_t length = 0; length < ngrams.length; ++length) add_contexts(ngrams, length);
  model_.stories_.push_back({kNoSymbol, static_cast<std::uint32_t>(edges_.size())});
  set_probabilities();
  set_targets();
  compile();
  set_worst();
}

// By the newest symbol of the context, then by the one before it, and so on. Where a context ends
// comes after all that is longer.
void ModelBuilder::sort(const Ngrams& ngrams) {
  std::uint32_t longest = ngrams.length - 1;
  CountingSort sort(ngrams.size());
  for (std::uint32_t column = 0; column < longest; ++column) {
    sort.by(symbols_ + 1,
            [&](std::uint32_t i) { return std::min<std::size_t>(ngrams.at(i)[column], symbols_); });
  }
  grams_.reserve(ngrams.size());
  std::span<const Symbol> before;
  for (std::uint32_t i : sort.order()) {
    std::span<const Symbol> context = ngrams.at(i).first(longest);
    auto end = std::find(context.rbegin(), context.rend(), kNoSymbol);
    auto fork = std::mismatch(before.rbegin(), before.rend(), context.rbegin()).second;
    grams_.push_back({ngrams.counts[i], i, ngrams.at(i).back(), 0, 0,
                      static_cast<std::uint8_t>(end - context.rbegin()),
                      static_cast<std::uint8_t>(fork - context.rbegin())});
    before = context;
  }
}

// The nodes of all contexts of that length, and what comes after them. Those one shorter are there.
void ModelBuilder::add_contexts(const Ngrams& ngrams, std::uint32_t length) {
  auto node = static_cast<std::uint32_t>(model_.nodes_.size() - 1);
  auto first = static_cast<std::uint32_t>(edges_.size());
  for (Gram& gram : grams_) {
    if (gram.length < length) continue;
    if (gram.shared < length) {
      Model::Node made;
      made.parent = gram.node;
      made.depth = static_cast<std::uint8_t>(length);
      node = static_cast<std::uint32_t>(model_.nodes_.size());
      first = static_cast<std::uint32_t>(edges_.size());
      model_.nodes_.push_back(made);
      model_.stories_.push_back({ngrams.at(gram.number)[ngrams.length - 1 - length], first});
    }
    std::uint32_t& latest = latest_[gram.symbol];
    if (latest <= first) {
      edges_.push_back({0, 0, gram.symbol, gram.edge, 0});
      latest = static_cast<std::uint32_t>(edges_.size());
    }
    gram.node = node;
    gram.edge = latest - 1;
    edges_[gram.edge].count += gram.count;
  }
}

void ModelBuilder::set_probabilities() {
  bool markov = model_.options_.method == Method::markov;
  auto kinds = static_cast<double>(std::max<std::size_t>(symbols_, 1));
  for (std::size_t node = 0; node < model_.nodes_.size(); ++node) {
    std::span<Edge> edges = edges_of(node);
    double total = 0;
    for (const Edge& e : edges) total += static_cast<double>(e.count);
    auto types = static_cast<double>(edges.size());
    double rest = edges.empty() ? 1 : types / (total + types);
    for (Edge& e : edges) {
      double shorter = node == 0 ? 1 / kinds : edges_[e.shorter].probability;
      auto count = static_cast<double>(e.count);
      e.probability = markov ? count / (total + types) + rest * shorter : count / total;
    }
    if (markov) model_.nodes_[node].miss = bits_of(rest);
    if (node == 0) model_.unknown_ = price_of_unknown(model_.options_.method, rest / kinds);
  }
}

// Of each node, and of the one that would come next.
std::vector<std::uint32_t> ModelBuilder::first_children() const {
  std::vector<std::uint32_t> first;
  first.reserve(model_.nodes_.size() + 1);
  for (std::uint32_t node = 1; node < model_.nodes_.size(); ++node) {
    while (first.size() <= model_.nodes_[node].parent) first.push_back(node);
  }
  first.resize(model_.nodes_.size() + 1, static_cast<std::uint32_t>(model_.nodes_.size()));
  return first;
}

// After "context, symbol" the state is the longest known context that ends so. Where the parent's
// edge leads is that for the context without its oldest symbol; it is one longer if that is
// complete and has a child by that oldest symbol. Nodes come in the order of their oldest symbols,
// so each time a node's children are asked for, the search goes on where it was.
void ModelBuilder::set_targets() {
  std::vector<std::uint32_t> first = first_children();
  std::vector<std::uint32_t> next_child = first;
  std::vector<std::uint32_t> of_symbol(symbols_, 0);  // a symbol alone as a context
  for (std::uint32_t node = first[0]; node < first[1]; ++node) {
    of_symbol[model_.stories_[node].oldest] = node;
  }
  for (Edge& e : edges_of(0)) e.next = of_symbol[e.symbol];
  std::uint32_t longest = model_.options_.context();
  for (std::uint32_t node = 1; node < model_.nodes_.size(); ++node) {
    std::uint32_t depth = model_.nodes_[node].depth;
    Symbol oldest = model_.stories_[node].oldest;
    for (Edge& e : edges_of(node)) {
      e.next = edges_[e.shorter].next;
      if (depth == longest || model_.nodes_[e.next].depth != depth) continue;
      std::uint32_t& child = next_child[e.next];
      std::uint32_t end = first[e.next + 1];
      while (child < end && model_.stories_[child].oldest < oldest) ++child;
      if (child < end && model_.stories_[child].oldest == oldest) e.next = child;
    }
  }
}

Model::Edge ModelBuilder::compiled(const Edge& e) const {
  Bits bits = model_.options_.method == Method::stide ? 0 : bits_of(e.probability);
  if (model_.options_.method == Method::chain) bits = std::min(bits, model_.unknown_);
  return {e.symbol, e.next, bits};
}

// Each node's edges: the most frequent into the node, the others into its table.
void ModelBuilder::compile() {
  model_.symbols_.reserve(edges_.size());
  model_.counts_.reserve(edges_.size());
  for (std::size_t number = 0; number < model_.nodes_.size(); ++number) {
    std::span<Edge> edges = edges_of(number);
    if (edges.empty()) continue;
    std::ranges::sort(edges, [](const Edge& a, const Edge& b) {
      return a.count != b.count ? a.count > b.count : a.symbol < b.symbol;
    });
    for (const Edge& e : edges) {
      model_.symbols_.push_back(e.symbol);
      model_.counts_.push_back(e.count);
    }
    model_.nodes_[number].hot = compiled(edges.front());
    fill_table(model_.nodes_[number], edges.subspan(1));
  }
}

void ModelBuilder::fill_table(Model::Node& node, std::span<const Edge> edges) {
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
void ModelBuilder::set_worst() {
  std::vector<std::uint64_t> way(model_.nodes_.size(), 0);
  std::uint64_t dearest = 0;
  for (std::size_t node = 1; node < model_.nodes_.size(); ++node) {
    way[node] = way[model_.nodes_[node].parent] + model_.nodes_[node].miss;
    dearest = std::max(dearest, way[node]);
  }
  model_.worst_ = static_cast<Bits>(dearest) + model_.unknown_;
}

}  // namespace iovm::model
