// SPDX-License-Identifier: Apache-2.0
//
// Turns counts into a Model's automaton. N-grams sorted by their contexts, the newest symbol first,
// are a trie laid flat: the contexts of each length are runs of them. So the nodes are made length
// by length, and of each length in order: the children of a node lie side by side, sorted, and
// every edge knows the edge of the same symbol one context shorter. What a longer context needs of
// the shorter one (its probability, where it leads) is then at hand; nothing is looked up.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/model.h"

namespace iovm::model {

class ModelBuilder {
 public:
  // `symbols`: as of Model. The model is empty.
  ModelBuilder(Model& model, std::size_t symbols) : model_(model), symbols_(symbols) {}

  // The n-grams may come in any order.
  void build(const Ngrams& ngrams);

 private:
  struct Gram {
    std::uint64_t count = 0;
    std::uint32_t number = 0;  // in the n-grams
    Symbol symbol = 0;         // after the context
    std::uint32_t node = 0;    // of the context, as long as was built so far
    std::uint32_t edge = 0;    // from there
    std::uint8_t length = 0;   // of the whole context
    std::uint8_t shared = 0;   // so much of it the n-gram before has, too
  };
  struct Edge {
    std::uint64_t count = 0;
    double probability = 0;
    Symbol symbol = 0;
    std::uint32_t shorter = 0;  // the parent's edge of that symbol
    std::uint32_t next = 0;
  };

  void sort(const Ngrams& ngrams);
  void add_contexts(const Ngrams& ngrams, std::uint32_t length);
  void set_probabilities();
  void set_targets();
  void compile();
  void fill_table(Model::Node& node, std::span<const Edge> edges);
  void set_worst();

  std::span<Edge> edges_of(std::size_t node) {
    const Model::Story* story = &model_.stories_[node];
    return std::span(edges_).subspan(story->first, story[1].first - story->first);
  }
  std::vector<std::uint32_t> first_children() const;
  Model::Edge compiled(const Edge& e) const;

  Model& model_;
  std::size_t symbols_;
  std::vector<Gram> grams_;
  std::vector<Edge> edges_;            // by node
  std::vector<std::uint32_t> latest_;  // by symbol: edges there were when it got its latest
};

}  // namespace iovm::model
