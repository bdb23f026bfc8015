// SPDX-License-Identifier: Apache-2.0
//
// Numbers by 64-bit keys, in one array: what the plain trie stands on. Open addressing;
// nothing is ever taken out. The key of all ones marks a free slot and cannot be used.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace iovm::bench {

class FlatMap {
 public:
  static constexpr std::uint32_t kNone = 0xffffffff;

  FlatMap() : slots_(1024) {}

  // The number of the key, or kNone.
  std::uint32_t find(std::uint64_t key) const {
    for (std::size_t at = place(key);; at = (at + 1) & (slots_.size() - 1)) {
      if (slots_[at].key == key) return slots_[at].number;
      if (slots_[at].key == kFree) return kNone;
    }
  }

  // The number of the key, which becomes `fresh` if there was none.
  std::uint32_t find_or_add(std::uint64_t key, std::uint32_t fresh) {
    for (std::size_t at = place(key);; at = (at + 1) & (slots_.size() - 1)) {
      if (slots_[at].key == key) return slots_[at].number;
      if (slots_[at].key != kFree) continue;
      slots_[at] = {key, fresh};
      if (++used_ * 2 > slots_.size()) grow();
      return fresh;
    }
  }

 private:
  static constexpr std::uint64_t kFree = ~std::uint64_t{0};
  struct Slot {
    std::uint64_t key = kFree;
    std::uint32_t number = 0;
  };

  std::size_t place(std::uint64_t key) const {
    std::uint64_t h = key * 0x9e3779b97f4a7c15;
    return (h ^ h >> 32) & (slots_.size() - 1);
  }

  void grow() {
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.key == kFree) continue;
      std::size_t at = place(slot.key);
      while (slots_[at].key != kFree) at = (at + 1) & (slots_.size() - 1);
      slots_[at] = slot;
    }
  }

  std::vector<Slot> slots_;
  std::size_t used_ = 0;
};

}  // namespace iovm::bench
