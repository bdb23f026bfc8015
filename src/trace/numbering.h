// SPDX-License-Identifier: Apache-2.0
//
// Gives out numbers 0, 1, 2... to keys in the order in which they are first seen: the writer's
// dictionaries. One look-up for every event is the price of a small file, so this is an
// open-addressed table that is forgotten, not freed, from block to block. Keys come from guests: a
// guest that makes them collide slows its own recording down to the length of one block, no more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace iovm::trace {

template <typename Key, std::uint64_t (*Hash)(const Key&)>
class Numbering {
 public:
  struct Number {
    std::uint32_t value;
    bool fresh;  // the key was not seen before
  };

  Number operator()(const Key& key) {
    std::uint64_t hash = Hash(key);
    for (std::size_t at = hash & mask();; at = (at + 1) & mask()) {
      Slot& slot = slots_[at];
      if (slot.round != round_) {
        slot = {static_cast<std::uint32_t>(hash >> 32), round_,
                static_cast<std::uint32_t>(keys_.size())};
        keys_.push_back(key);
        if (keys_.size() * 2 > slots_.size()) grow();
        return {static_cast<std::uint32_t>(keys_.size() - 1), true};
      }
      if (slot.hash == static_cast<std::uint32_t>(hash >> 32) && keys_[slot.number] == key)
        return {slot.number, false};
    }
  }

  const std::vector<Key>& keys() const { return keys_; }

  void clear() {
    keys_.clear();
    round_ += 1;
    if (round_ == 0) {  // once in 2^32 blocks: no slot may look used
      slots_.assign(slots_.size(), Slot{});
      round_ = 1;
    }
  }

 private:
  struct Slot {
    std::uint32_t hash = 0;
    std::uint32_t round = 0;  // used in this round only
    std::uint32_t number = 0;
  };

  std::size_t mask() const { return slots_.size() - 1; }

  void grow() {
    slots_.assign(slots_.size() * 2, Slot{});
    for (std::size_t i = 0; i < keys_.size(); ++i) {
      std::uint64_t hash = Hash(keys_[i]);
      std::size_t at = hash & mask();
      while (slots_[at].round == round_) at = (at + 1) & mask();
      slots_[at] = {static_cast<std::uint32_t>(hash >> 32), round_, static_cast<std::uint32_t>(i)};
    }
  }

  std::vector<Slot> slots_ = std::vector<Slot>(1024);
  std::vector<Key> keys_;
  std::uint32_t round_ = 1;
};

// A multiply-and-fold hash; good enough for a table, not against an enemy (see above).
inline std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  Wide product = static_cast<Wide>(a ^ 0x9e3779b97f4a7c15U) * (b ^ 0xd6e8feb86659fd93U);
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

}  // namespace iovm::trace
