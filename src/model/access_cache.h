// SPDX-License-Identifier: Apache-2.0
//
// A hash from two numbers to a small value, which makes tokenizing a matter of nanoseconds: what an
// address means, and which symbol an access has whose value or index counts. Open addressing, no
// allocation but for growth; clear() costs nothing (a new generation). It only remembers what can
// be worked out again, so one that a guest has filled starts over instead of growing without end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace iovm::model {

template <typename Value>
class AccessCache {
 public:
  static constexpr std::size_t kMaxEntries = std::size_t{1} << 17;

  AccessCache() : slots_(1024) {}

  const Value* find(std::uint64_t a, std::uint64_t b) const {
    std::size_t mask = slots_.size() - 1;
    for (std::size_t at = hash(a, b) & mask;; at = (at + 1) & mask) {
      const Slot& slot = slots_[at];
      if (slot.generation != generation_) return nullptr;
      if (slot.a == a && slot.b == b) return &slot.value;
    }
  }

  // The key must not be there yet.
  const Value& insert(std::uint64_t a, std::uint64_t b, const Value& value) {
    if (used_ >= kMaxEntries) clear();
    if ((used_ + 1) * 2 > slots_.size()) grow();
    ++used_;
    return place(Slot{a, b, value, generation_});
  }

  // Forgets the entries whose first number is `gone`, in time that grows with what is remembered.
  // Their slots stay in use, for a key that does not occur, until the next growth.
  template <typename Predicate>
  void erase_if(Predicate gone) {
    for (Slot& slot : slots_) {
      if (slot.generation == generation_ && gone(slot.a)) slot.a = slot.b = kForgotten;
    }
  }

  // Forgotten ones too, until the next growth.
  std::size_t size() const { return used_; }

  void clear() {
    ++generation_;
    used_ = 0;
  }

 private:
  struct Slot {
    std::uint64_t a = 0;
    std::uint64_t b = 0;
    Value value = {};
    std::uint32_t generation = 0;  // in use if it is the cache's
  };

  static constexpr std::uint64_t kForgotten = ~std::uint64_t{0};  // in both numbers

  static std::size_t hash(std::uint64_t a, std::uint64_t b) {
    // Addresses, functions and registers differ in high bits only: all of them must reach the low
    // ones.
    std::uint64_t h = (a * 0x9e3779b97f4a7c15) ^ (b * 0xc2b2ae3d27d4eb4f);
    h = (h ^ h >> 32) * 0xd6e8feb86659fd93;
    return static_cast<std::size_t>(h ^ h >> 32);
  }

  const Value& place(const Slot& slot) {
    std::size_t mask = slots_.size() - 1;
    std::size_t at = hash(slot.a, slot.b) & mask;
    while (slots_[at].generation == generation_) at = (at + 1) & mask;
    slots_[at] = slot;
    return slots_[at].value;
  }

  void grow() {
    std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(slots_.size() * 2));
    used_ = 0;
    for (const Slot& slot : old) {
      bool forgotten = slot.a == kForgotten && slot.b == kForgotten;
      if (slot.generation != generation_ || forgotten) continue;
      place(slot);
      ++used_;
    }
  }

  std::vector<Slot> slots_;
  std::size_t used_ = 0;
  std::uint32_t generation_ = 1;
};

}  // namespace iovm::model
