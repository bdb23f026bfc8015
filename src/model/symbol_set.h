// SPDX-License-Identifier: Apache-2.0
//
// The distinct symbols of a session, as they come in: a bit for each, as many words as the largest
// symbol needs. Symbols of a recording are numbered in the order of sight, so a stream's set stays
// as short as what was seen before its last new symbol.
#pragma once

#include <cstdint>
#include <vector>

#include "model/symbol.h"

namespace iovm::model {

class SymbolSet {
 public:
  void add(Symbol symbol) {
    std::size_t word = symbol / 64;
    if (word >= words_.size()) words_.resize(word + 1, 0);
    words_[word] |= std::uint64_t{1} << symbol % 64;
  }

  // Ascending.
  std::vector<Symbol> symbols() const {
    std::vector<Symbol> out;
    for (std::size_t word = 0; word < words_.size(); ++word) {
      for (std::uint64_t bits = words_[word]; bits != 0; bits &= bits - 1) {
        out.push_back(
            static_cast<Symbol>(word * 64 + static_cast<unsigned>(__builtin_ctzll(bits))));
      }
    }
    return out;
  }

 private:
  std::vector<std::uint64_t> words_;
};

}  // namespace iovm::model
