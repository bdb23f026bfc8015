// SPDX-License-Identifier: Apache-2.0
//
// The methods against numbers computed by hand. The training is one stream, "a b a b a a":
//
//   symbol counts   a 4, b 2; 6 in all, of 2 kinds
//   after a         b 2, a 1; 3 in all, of 2 kinds
//   after b         a 2;      2 in all, of 1 kind
//
// With the four reserved symbols the alphabet has six, so the uniform share is 1/6.
#include "model/model.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <set>

namespace iovm::model {
namespace {

constexpr Symbol a = kFirstSymbol;
constexpr Symbol b = kFirstSymbol + 1;
constexpr std::size_t kSymbols = kFirstSymbol + 2;

// The n-grams of one stream, as training counts them.
Ngrams count(const std::vector<Symbol>& stream, std::uint32_t length) {
  Ngrams ngrams{length, {}, {}};
  for (std::size_t end = 1; end <= stream.size(); ++end) {
    for (std::uint32_t i = 0; i < length; ++i) {
      bool there = end + i >= length;
      ngrams.symbols.push_back(there ? stream[end + i - length] : kNoSymbol);
    }
    ngrams.counts.push_back(1);
  }
  return canonical(ngrams);
}

class ModelTest : public testing::Test {
 protected:
  static Model make(Method method, std::uint32_t order,
                    const std::vector<Symbol>& stream = {a, b, a, b, a, a}) {
    Options options;
    options.method = method;
    options.order = order;
    return Model(options, count(stream, options.context() + 1), kSymbols);
  }
  // Probability of the last symbol after the others.
  static double probability(const Model& model, const std::vector<Symbol>& stream) {
    return std::exp2(-to_bits(last(model, stream).bits));
  }
  static Score last(const Model& model, const std::vector<Symbol>& stream) {
    State state;
    Score score;
    for (Symbol symbol : stream) score = model.score(state, symbol, state);
    return score;
  }
};

TEST_F(ModelTest, MarkovGivesASymbolWithoutContextItsSmoothedShare) {
  Model model = make(Method::markov, 1);
  // c/(n+t) + t/(n+t) * 1/6: 4/8 + 2/8/6, 2/8 + 2/8/6.
  EXPECT_NEAR(probability(model, {a}), 0.541667, 1e-5);
  EXPECT_NEAR(probability(model, {b}), 0.291667, 1e-5);
}

TEST_F(ModelTest, MarkovMixesWhatFollowedWithTheShorterContext) {
  Model model = make(Method::markov, 1);
  EXPECT_NEAR(probability(model, {a, b}), 2 / 5. + 2 / 5. * 0.291667, 1e-5);
  EXPECT_NEAR(probability(model, {a, a}), 1 / 5. + 2 / 5. * 0.541667, 1e-5);
  EXPECT_NEAR(probability(model, {b, a}), 2 / 3. + 1 / 3. * 0.541667, 1e-5);
}

TEST_F(ModelTest, MarkovPaysForAStepThatNeverFollowed) {
  Model model = make(Method::markov, 1);
  EXPECT_NEAR(probability(model, {b, b}), 1 / 3. * 0.291667, 1e-5);
  EXPECT_FALSE(last(model, {b, b}).followed);
  EXPECT_TRUE(last(model, {b, b}).known);
}

TEST_F(ModelTest, MarkovReservesProbabilityForTheUnseen) {
  Model model = make(Method::markov, 1);
  EXPECT_NEAR(probability(model, {kUnknownValue}), 2 / 8. / 6, 1e-5);
  EXPECT_NEAR(probability(model, {a, kUnknownDevice}), 2 / 5. * 2 / 8. / 6, 1e-5);
  EXPECT_FALSE(last(model, {kUnknownValue}).known);
}

// The last of the symbols after those before it, by its definition: every order asked, the shortest
// first.
double interpolated(const std::vector<Symbol>& training, const std::vector<Symbol>& symbols,
                    std::size_t order) {
  double probability = 1 / static_cast<double>(kSymbols);
  for (std::size_t length = 0; length <= order && length < symbols.size(); ++length) {
    auto context = symbols.end() - 1 - static_cast<std::ptrdiff_t>(length);
    double followed = 0, total = 0;
    std::set<Symbol> kinds;
    for (std::size_t at = length; at < training.size(); ++at) {
      auto before = training.begin() + static_cast<std::ptrdiff_t>(at - length);
      if (!std::equal(context, symbols.end() - 1, before)) continue;
      total += 1;
      followed += training[at] == symbols.back() ? 1 : 0;
      kinds.insert(training[at]);
    }
    if (kinds.empty()) break;
    auto types = static_cast<double>(kinds.size());
    probability = (followed + types * probability) / (total + types);
  }
  return probability;
}

TEST_F(ModelTest, MarkovIsTheInterpolationOfAllOrders) {
  std::mt19937 random(1);
  for (std::size_t length : {5, 50, 500}) {
    std::vector<Symbol> training(length), other(200);
    for (std::vector<Symbol>* stream : {&training, &other}) {
      for (Symbol& s : *stream) s = static_cast<Symbol>(random() % 3 + random() % 2 * random() % 4);
    }
    for (std::uint32_t order : {0, 1, 2, 3, 5}) {
      Model model = make(Method::markov, order, training);
      State state;
      for (std::size_t i = 0; i < other.size(); ++i) {
        std::size_t first = i > order ? i - order : 0;
        auto begin = other.begin() + static_cast<std::ptrdiff_t>(first);
        std::vector<Symbol> recent(begin, other.begin() + static_cast<std::ptrdiff_t>(i) + 1);
        double bits = -std::log2(interpolated(training, recent, order));
        ASSERT_NEAR(to_bits(model.score(state, other[i], state).bits), bits, 1e-4) << i;
      }
    }
  }
}

TEST_F(ModelTest, NgramsMayComeInAnyOrder) {
  Model sorted = make(Method::markov, 3);
  Ngrams ngrams = count({a, b, a, b, a, a}, 4), turned{4, {}, {}};
  for (std::size_t i = ngrams.size(); i-- > 0;) {
    std::span<const Symbol> symbols = ngrams.at(i);
    turned.symbols.insert(turned.symbols.end(), symbols.begin(), symbols.end());
    turned.counts.push_back(ngrams.counts[i]);
  }
  Model model(sorted.options(), turned, kSymbols);
  for (Symbol x : {a, b}) {
    for (Symbol y : {a, b, kUnknownValue}) {
      EXPECT_EQ(last(model, {a, x, b, y}).bits, last(sorted, {a, x, b, y}).bits);
    }
  }
}

TEST_F(ModelTest, MarkovProbabilitiesSumUpToOneAfterEveryContext) {
  Model model = make(Method::markov, 3);
  for (const std::vector<Symbol>& context :
       {std::vector<Symbol>{}, {a}, {b}, {a, b}, {b, a}, {a, a}, {b, b}, {a, b, a}, {b, a, a}}) {
    double sum = 0;
    for (Symbol symbol : {a, b, kOverflow, kUnknownDevice, kUnknownRegister, kUnknownValue}) {
      std::vector<Symbol> stream = context;
      stream.push_back(symbol);
      sum += probability(model, stream);
    }
    EXPECT_NEAR(sum, 1, 1e-4);
  }
}

TEST_F(ModelTest, AShorterContextTakesOverWhereTheLongOneWasNeverSeen) {
  Model model = make(Method::markov, 2);
  // "b b" never was; after it the state is "b", and "a" followed that.
  Score score = last(model, {b, b, a});
  EXPECT_EQ(score.matched, 1);
  EXPECT_NEAR(std::exp2(-to_bits(score.bits)), probability(make(Method::markov, 1), {b, a}), 1e-5);
}

TEST_F(ModelTest, ChainGivesTheShareOfATransition) {
  Model model = make(Method::chain, 1);
  EXPECT_NEAR(probability(model, {a, b}), 2 / 3., 1e-5);
  EXPECT_NEAR(probability(model, {a, a}), 1 / 3., 1e-5);
  EXPECT_EQ(last(model, {b, a}).bits, 0u);
}

TEST_F(ModelTest, ChainHasAFloorForTransitionsNeverSeen) {
  Model model = make(Method::chain, 1);
  EXPECT_NEAR(probability(model, {b, b}), 1e-6, 1e-8);
  EXPECT_NEAR(probability(model, {a, kUnknownValue}), 1e-6, 1e-8);
}

TEST_F(ModelTest, ChainSaysNothingBeforeItsFirstState) {
  EXPECT_EQ(last(make(Method::chain, 3), {b, b, b}).bits, 0u);
  EXPECT_NE(last(make(Method::chain, 3), {b, b, b, b}).bits, 0u);
}

TEST_F(ModelTest, StideCountsWindowsNeverSeen) {
  Model model = make(Method::stide, 2);
  EXPECT_EQ(last(model, {a, b}).bits, 0u);
  EXPECT_EQ(last(model, {a, a}).bits, 0u);
  EXPECT_EQ(last(model, {b, b}).bits, kOneBit);
  EXPECT_EQ(last(model, {b}).bits, 0u);  // no window yet
}

TEST_F(ModelTest, StideMissesUntilTheUnknownHasLeftTheWindow) {
  Model model = make(Method::stide, 3);
  std::vector<Symbol> stream = {a, b, a, kUnknownValue, a, b, a};
  std::vector<Bits> scores;
  State state;
  for (Symbol symbol : stream) scores.push_back(model.score(state, symbol, state).bits / kOneBit);
  EXPECT_EQ(scores, (std::vector<Bits>{0, 0, 0, 1, 1, 1, 0}));
}

TEST_F(ModelTest, ExplanationsTellTheContextAndWhatFollowedIt) {
  Model model = make(Method::markov, 2);
  State state;
  for (Symbol symbol : {a, b, a}) model.score(state, symbol, state);
  EXPECT_EQ(model.context(state), (std::vector<Symbol>{b, a}));
  EXPECT_EQ(model.context_count(state), 2u);  // "b a" came before b and before a
  auto followers = model.followers(state, 5);
  ASSERT_EQ(followers.size(), 2u);
  EXPECT_EQ(followers[0].symbol, a);
  EXPECT_EQ(followers[0].count, 1u);
  EXPECT_NEAR(followers[0].probability, probability(model, {a, b, a, a}), 1e-5);
}

TEST_F(ModelTest, NoScoreIsWorseThanTheWorst) {
  Model model = make(Method::markov, 3);
  for (Symbol x : {a, b, kUnknownValue}) {
    for (Symbol y : {a, b, kUnknownValue}) {
      EXPECT_LE(last(model, {a, b, x, y}).bits, model.worst());
    }
  }
}

TEST_F(ModelTest, ThePriceOfTheUnknownIsKnownWithoutTheModel) {
  for (Method method : {Method::markov, Method::chain, Method::stide}) {
    Model model = make(method, 2);
    Ngrams ngrams = count({a, b, a, b, a, a}, model.options().context() + 1);
    EXPECT_EQ(unknown_price(model.options(), ngrams, kSymbols), model.unknown());
  }
}

TEST_F(ModelTest, AModelOfNothingKnowsNothing) {
  Options options;
  Ngrams none{options.context() + 1, {}, {}};
  Model model(options, none, kFirstSymbol);
  State state;
  EXPECT_FALSE(model.score(state, a, state).known);
  EXPECT_TRUE(model.followers(state, 3).empty());
}

TEST(NgramsTest, AreSortedAndSummedUp) {
  Ngrams ngrams{2, {b, a, a, b, b, a}, {1, 2, 3}};
  EXPECT_EQ(canonical(ngrams), (Ngrams{2, {a, b, b, a}, {2, 4}}));
}

TEST(NgramsTest, MergedCountsAreThoseOfBoth) {
  Ngrams one = count({a, b, a}, 2), two = count({b, a, a}, 2);
  Ngrams sum = merged(one, two);
  std::uint64_t total = 0;
  for (std::uint64_t c : sum.counts) total += c;
  EXPECT_EQ(total, 6u);
  EXPECT_EQ(merged(two, one), sum);
}

TEST(NgramsTest, RenamingKeepsTheOrderCanonical) {
  Ngrams ngrams = count({a, b, a, a}, 3);
  std::vector<Symbol> swap = {0, 1, 2, 3, b, a};
  EXPECT_EQ(renamed(renamed(ngrams, swap), swap), ngrams);
}

}  // namespace
}  // namespace iovm::model
