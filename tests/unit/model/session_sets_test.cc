// SPDX-License-Identifier: Apache-2.0
#include "model/session_sets.h"

#include <gtest/gtest.h>

#include <cmath>

#include "model/ngrams.h"
#include "model/symbol_set.h"

namespace iovm::model {
namespace {

TEST(SymbolSetTest, GivesEachSymbolOnceInOrder) {
  SymbolSet set;
  for (Symbol s : {200u, 4u, 63u, 64u, 4u}) set.add(s);
  EXPECT_EQ(set.symbols(), (std::vector<Symbol>{4, 63, 64, 200}));
}

TEST(SessionSetsTest, EqualSetsAddUpWhateverTheirOrder) {
  SessionSets a = canonical({{{5, 6}, 1}, {{4}, 2}, {{5, 6}, 3}, {{}, 1}});
  ASSERT_EQ(a.size(), 2u);
  EXPECT_EQ(a[0], (SessionSet{{4}, 2}));
  EXPECT_EQ(a[1], (SessionSet{{5, 6}, 4}));
}

TEST(SessionSetsTest, RenamingKeepsSetsInOrder) {
  std::vector<Symbol> map{0, 0, 0, 0, 9, 5, 4};
  SessionSets a = renamed({{{4, 5}, 1}, {{6}, 2}}, map);
  EXPECT_EQ(a[0], (SessionSet{{4}, 2}));
  EXPECT_EQ(a[1], (SessionSet{{5, 9}, 1}));
}

TEST(SessionSetsTest, TheSampleDoesNotDependOnTheNumbersOfSymbols) {
  std::vector<std::uint64_t> hashes(400), turned(400);
  std::vector<Symbol> turn(400);
  for (Symbol s = 0; s < 400; ++s) hashes[s] = turned[399 - s] = s * 7919, turn[s] = 399 - s;
  SessionSets all;
  for (Symbol a = 0; a < 400; ++a) {
    for (Symbol b = a + 1; b < 400; ++b) all.push_back({{a, b}, 1});
  }
  SessionSets kept = canonical(all, hashes);
  EXPECT_EQ(kept.size(), kMaxSets);
  EXPECT_EQ(renamed(kept, turn), canonical(renamed(all, turn), turned));
}

TEST(SetViewTest, ASetOfTrainingIsNear) {
  SetView view(canonical({{{4, 5, 6}, 1}, {{4, 7}, 1}}), 8);
  EXPECT_DOUBLE_EQ(view.distance(std::vector<Symbol>{4, 5, 6}, 0), 0);
  EXPECT_DOUBLE_EQ(view.distance({}, 3), 1);
  EXPECT_DOUBLE_EQ(view.distance({}, 0), 1);
}

// Two sessions: 4 is in both (weight 1), 5 in one (1 + log2(3/2)), what is new has 1 + log2(3).
TEST(SetViewTest, RareSymbolsWeighMore) {
  SetView view(canonical({{{4, 5}, 1}, {{4}, 1}}), 8);
  double one = 1 + std::log2(1.5), fresh = 1 + std::log2(3.0);
  EXPECT_DOUBLE_EQ(view.distance(std::vector<Symbol>{4}, 1), 1 - 1 / (1 + fresh));
  EXPECT_DOUBLE_EQ(view.distance(std::vector<Symbol>{5}, 0), 1 - one / (1 + one));
}

TEST(NgramsTest, ShortenedIsCountingWithFewerSymbols) {
  Ngrams long_ones = canonical({3, {4, 5, 6, 7, 5, 6, kNoSymbol, 4, 5}, {2, 3, 1}});
  EXPECT_EQ(shortened(long_ones, 2), canonical({2, {5, 6, 4, 5}, {5, 1}}));
  EXPECT_EQ(shortened(long_ones, 3), long_ones);
}

TEST(NgramsTest, WithoutTakesBackWhatMergedPutIn) {
  Ngrams a = canonical({2, {4, 5, 5, 6, kNoSymbol, 4}, {2, 3, 1}});
  Ngrams b = canonical({2, {4, 5, 6, 7, kNoSymbol, 6}, {5, 1, 1}});
  EXPECT_EQ(without(merged(a, b), a), b);
  EXPECT_EQ(without(merged(a, b), b), a);
  EXPECT_EQ(without(a, a), (Ngrams{2, {}, {}}));
}

}  // namespace
}  // namespace iovm::model
