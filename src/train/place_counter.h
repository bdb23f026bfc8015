// SPDX-License-Identifier: Apache-2.0
//
// Counts from which places of its code a guest drives its devices, in one recording (what a place
// is: model/code_place.h). A place gets a number, from 1, in the order of sight, so that each token
// of the recording can say in two bytes where it came from. Bounded: places beyond the numbers are
// not counted.
//
// Speed: an operation comes from the same few instructions, so the last one is remembered for each.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "model/code_place.h"
#include "model/tokenizer.h"

namespace iovm::train {

class PlaceCounter {
 public:
  using Number = std::uint16_t;
  static constexpr Number kNone = 0;  // no place, or no room

  // `alphabet`: the token's.
  Number count(const trace::Event& event, const model::Token& token,
               const model::Alphabet& alphabet) {
    if (token.symbol >= last_.size()) last_.resize(alphabet.size());
    Last& last = last_[token.symbol];
    if (last.rip != event.rip || last.code != token.code) look(event, token, alphabet, last);
    ++rows_[last.number].count;
    return last.number;
  }

  // By number; the first stands for none.
  const std::vector<model::PlaceRow>& rows() const { return rows_; }
  model::Places places() const;

 private:
  struct Last {
    std::uint64_t rip = 0;
    model::CodeClass code = model::CodeClass::unrecorded;
    Number number = kNone;
  };

  void look(const trace::Event& event, const model::Token& token, const model::Alphabet& alphabet,
            Last& last);

  std::vector<Last> last_;                     // by symbol
  std::map<model::PlaceRow, Number> numbers_;  // of rows with count 0
  std::vector<model::PlaceRow> rows_ = std::vector<model::PlaceRow>(1);
};

}  // namespace iovm::train
