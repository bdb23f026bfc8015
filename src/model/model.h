// SPDX-License-Identifier: Apache-2.0
//
// What is normal, ready to be asked: score(state, symbol) says how surprising a symbol is after
// what came before it in its stream. One interface for all methods:
//
//   markov  variable-order chain, Witten-Bell interpolated: -log2 of the probability
//   chain   states are sequences of k symbols (the patent's): -log2 of the transition's share, a
//           floor for transitions never seen
//   stide   windows of k symbols: 0 seen, 1 never seen
//
// All three are one automaton over the contexts of training: a node for each context, an edge for
// each symbol seen after it, and, where there is none, a step to the context without its oldest
// symbol, at a price. Compiled for speed: a node is half a cache line and holds its most frequent
// edge, so that a step the device usually takes next costs one look; the others are in a small
// table of the node's own, scanned if it is short, hashed by the symbol if it is long. Scores are
// fixed-point numbers (1/65536 bit), so that sums over windows are exact and the same whatever the
// batches.
//
// A Model is immutable and shared by any number of streams; a State is theirs, eight bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "model/ngrams.h"
#include "model/streams.h"

namespace iovm::model {

// The numbers are in model files.
enum class Method : std::uint8_t { markov = 0, chain = 1, stide = 2 };
inline constexpr int kMethods = 3;
std::string_view name_of(Method method);
std::optional<Method> method(std::string_view name);

// How a whole session is scored. The numbers are in model files.
enum class SessionView : std::uint8_t {
  mean = 0,      // mean of the symbols' scores
  combined = 1,  // that and the distance of its set of symbols (model/session_sets.h), as a z-sum
};
inline constexpr int kSessionViews = 2;
std::string_view name_of(SessionView view);

// What a model is made with; models of equal options can be merged.
struct Options {
  Method method = Method::markov;
  // markov: the longest context; chain: symbols in a state; stide: symbols in a window.
  std::uint32_t order = 5;
  StreamKind stream = StreamKind::device;
  Scheme scheme = Scheme::devices;
  SessionView session = SessionView::combined;

  // Symbols before the one that is scored.
  std::uint32_t context() const { return method == Method::stide ? order - 1 : order; }

  friend bool operator==(const Options&, const Options&) = default;
};
// The order a method has unless told otherwise, and the largest it takes.
std::uint32_t usual_order(Method method);
// markov's, where training has more symbols than kManySymbols.
inline constexpr std::uint32_t kLongOrder = 9;
inline constexpr std::uint64_t kManySymbols = 1000000;
inline constexpr std::uint32_t kMaxOrder = 12;

struct State {
  std::uint32_t node = 0;    // the longest context that training knows; 0 is the empty one
  std::uint32_t length = 0;  // symbols since the stream began, as far as it matters
};

using Bits = std::uint32_t;  // 1/65536 bit
inline constexpr Bits kOneBit = 65536;
constexpr double to_bits(Bits bits) {
  return static_cast<double>(bits) / kOneBit;
}

struct Score {
  Bits bits = 0;
  std::uint8_t matched = 0;  // symbols of context that the symbol was seen after
  bool known = true;         // the symbol is in the model
  bool followed = true;      // training saw it after the state's context
};

class Model {
 public:
  // `symbols`: how many the alphabet has, reserved ones too. The n-grams' length is
  // options.context() + 1.
  Model(const Options& options, const Ngrams& ngrams, std::size_t symbols);

  Score score(const State& in, Symbol symbol, State& out) const;

  // For explanations; not fast.
  struct Follower {
    Symbol symbol = kOverflow;
    double probability = 0;
    std::uint64_t count = 0;
  };
  // The symbols of the state's context, oldest first.
  std::vector<Symbol> context(const State& state) const;
  // How often training saw it followed by anything.
  std::uint64_t context_count(const State& state) const;
  // What training saw after it, most frequent first.
  std::vector<Follower> followers(const State& state, std::size_t most) const;

  const Options& options() const { return options_; }
  // Whether it scores a symbol that few came before.
  bool scores(const State& before) const { return markov_ || before.length >= context_; }
  std::size_t nodes() const { return stories_.size(); }
  std::size_t edges() const { return symbols_.size(); }
  // The price of a symbol that training never saw, after any context it knows nothing of.
  Bits unknown() const { return unknown_; }
  // The most that one symbol can score.
  Bits worst() const { return worst_; }

 private:
  friend class ModelBuilder;

  struct Edge {
    Symbol symbol = kNoSymbol;
    std::uint32_t next = 0;
    Bits bits = 0;
  };
  // 32 bytes: two in a cache line.
  struct alignas(32) Node {
    Edge hot;                   // the most frequent one
    std::uint32_t parent = 0;   // the context without its oldest symbol
    Bits miss = 0;              // the price of going on to the parent
    std::uint32_t table = 0;    // in edges_: the others
    std::uint16_t entries = 0;  // of the table; if more than kScanned, a power of two
    std::uint8_t depth = 0;
    std::uint8_t shift = 0;  // of a hashed table: 32 - log2 of its size
  };
  static_assert(sizeof(Node) == 32);
  // What explanations need of a node.
  struct Story {
    Symbol oldest = kNoSymbol;
    std::uint32_t first = 0;  // in symbols_ and counts_, to the next node's
  };
  static constexpr std::uint32_t kScanned = 8;

  static std::uint32_t hash(Symbol symbol, unsigned shift) {
    return static_cast<std::uint32_t>(symbol * 0x9e3779b1U) >> shift;
  }

  // The edge, or nothing.
  const Edge* find(const Node& node, Symbol symbol) const {
    if (node.hot.symbol == symbol) return &node.hot;
    const Edge* table = edges_.data() + node.table;
    if (node.shift == 0) {
      for (std::uint32_t i = 0; i < node.entries; ++i) {
        if (table[i].symbol == symbol) return &table[i];
      }
      return nullptr;
    }
    std::uint32_t size = 1U << (32 - node.shift);
    for (std::uint32_t at = hash(symbol, node.shift);; at = (at + 1) & (size - 1)) {
      if (table[at].symbol == symbol) return &table[at];
      if (table[at].symbol == kNoSymbol) return nullptr;
    }
  }

  Options options_;
  std::uint32_t context_;  // of the options, at hand
  bool markov_;
  std::vector<Node> nodes_;            // the shortest contexts first
  std::vector<Edge> edges_;            // the nodes' tables
  std::vector<Story> stories_;         // of nodes; one more at the end
  std::vector<Symbol> symbols_;        // of edges, by node, the most frequent first
  std::vector<std::uint64_t> counts_;  // of edges
  Bits unknown_ = 0;                   // of a symbol that no training has
  Bits worst_ = 0;
};

// What Model::unknown() of such a model would be, without building it.
Bits unknown_price(const Options& options, const Ngrams& ngrams, std::size_t symbols);

inline Score Model::score(const State& in, Symbol symbol, State& out) const {
  bool full = in.length >= context_;
  const Node* node = &nodes_[in.node];
  const Node* root = nodes_.data();
  Bits price = 0;
  const Edge* edge = find(*node, symbol);
  while (edge == nullptr && node != root) {
    price += node->miss;
    node = root + node->parent;
    edge = find(*node, symbol);
  }
  bool longest = node == root + in.node;
  Score score{price + (edge != nullptr ? edge->bits : unknown_), node->depth, edge != nullptr,
              edge != nullptr && longest};
  out.length = full ? in.length : in.length + 1;
  out.node = edge != nullptr ? edge->next : 0;
  if (!markov_) {
    // Only whole windows count, and they were seen or they were not.
    bool seen = edge != nullptr && node->depth == context_;
    score.bits = !full ? 0 : seen ? edge->bits : unknown_;
    score.followed = !full || seen;
  }
  return score;
}

}  // namespace iovm::model
