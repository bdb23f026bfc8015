// SPDX-License-Identifier: Apache-2.0
//
// Counts n-grams as symbols come in: one look into a hash per event. Its keys are (context,
// symbol); an entry holds the count and the context that comes next, so a stream only carries the
// number of its context along. Contexts are made when first seen.
//
// Bounded: beyond `most` different n-grams, new ones are not counted any more but the stream goes
// on from the empty context, and left_out() tells how many events that cost.
#pragma once

#include <cstdint>
#include <vector>

#include "model/ngrams.h"

namespace iovm::train {

class Counter {
 public:
  using Context = std::uint32_t;
  static constexpr Context kStart = 0;  // of a stream, and after a loss

  explicit Counter(std::uint32_t context_length, std::size_t most = model::kMaxNgrams);

  // The symbol after the context; gives the context after the symbol.
  Context add(Context context, model::Symbol symbol) {
    std::uint64_t key = static_cast<std::uint64_t>(context) << 32 | symbol;
    for (std::size_t at = hash(key) & mask_;; at = (at + 1) & mask_) {
      if (slots_[at].key == key) {
        ++slots_[at].count;
        return slots_[at].next;
      }
      if (slots_[at].count == 0) return add_new(context, symbol);
    }
  }

  // What was counted, canonical.
  model::Ngrams ngrams() const;
  std::uint64_t left_out() const { return left_out_; }

 private:
  struct Slot {
    std::uint64_t key = 0;
    std::uint64_t count = 0;  // 0: free
    Context next = 0;
  };

  static std::size_t hash(std::uint64_t key) {
    std::uint64_t h = key * 0x9e3779b97f4a7c15;
    return static_cast<std::size_t>(h ^ h >> 32);
  }

  Context add_new(Context context, model::Symbol symbol);
  Context after(Context context, model::Symbol symbol);
  Context intern();
  void grow_slots();
  void grow_contexts();
  std::size_t context_hash(const model::Symbol* symbols) const;

  std::uint32_t length_;
  std::size_t most_;
  std::vector<Slot> slots_;
  std::size_t mask_;
  std::size_t used_ = 0;
  std::vector<model::Symbol> contexts_;  // length_ symbols each, kNoSymbol in front of short ones
  std::vector<model::Symbol> fresh_;     // the context being made
  std::size_t context_count_ = 0;
  std::vector<Context> context_slots_;  // open addressing over contexts_; +1, 0 is free
  std::uint64_t left_out_ = 0;
};

}  // namespace iovm::train
