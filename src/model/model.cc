// SPDX-License-Identifier: Apache-2.0
#include "model/model.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/assert.h"
#include "model/model_builder.h"

namespace iovm::model {
namespace {

constexpr std::array<std::string_view, kMethods> kMethodNames = {"markov", "chain", "stide"};

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

Model::Model(const Options& options, const Ngrams& ngrams, std::size_t symbols)
    : options_(options), context_(options.context()), markov_(options.method == Method::markov) {
  IOVM_ASSERT(ngrams.length == options.context() + 1);
  ModelBuilder(*this, symbols).build(ngrams);
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
  std::size_t begin = stories_[state.node].first;
  std::size_t end = std::min<std::size_t>(stories_[state.node + 1].first, begin + most);
  auto total = static_cast<double>(context_count(state));
  std::vector<Follower> all;
  for (std::size_t i = begin; i < end; ++i) {
    const Edge* edge = find(nodes_[state.node], symbols_[i]);
    double probability = options_.method == Method::stide ? static_cast<double>(counts_[i]) / total
                                                          : std::exp2(-to_bits(edge->bits));
    all.push_back({symbols_[i], probability, counts_[i]});
  }
  return all;
}

}  // namespace iovm::model
