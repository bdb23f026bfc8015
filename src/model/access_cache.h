// SPDX-License-Identifier: Apache-2.0
//
// A hash from two numbers to a small value, which makes tokenizing a matter of nanoseconds: what an
// address means, and which symbol an access has whose value or index counts. Open addressing, no
// allocation but for growth; clear() costs nothing (a new generation). It only remembers what can
// be worked out again, so one that a guest has filled starts over instead of growing without end.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace iovm::model {

template <typename Value>
class AccessCache {
 public:
  static constexpr std::size_t kMaxEntries = std::size_t{1} << 17;

  AccessCache() { resize(1024); }

  const Value* find(std::uint64_t a, std::uint64_t b) const {
    for (std::size_t at = home(a, b);; at = (at + 1) & mask_) {
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

  // Addresses, functions and registers may differ in high bits only: every bit of both numbers
  // reaches the highest ones of the product.
  std::size_t home(std::uint64_t a, std::uint64_t b) const {
    return static_cast<std::size_t>((a ^ b * 0xc2b2ae3d27d4eb4f) * 0x9e3779b97f4a7c15 >> shift_);
  }

  const Value& place(const Slot& slot) {
    std::size_t at = home(slot.a, slot.b);
    while (slots_[at].generation == generation_) at = (at + 1) & mask_;
    slots_[at] = slot;
    return slots_[at].value;
  }

  void grow() {
    std::vector<Slot> old = std::move(slots_);
    resize(old.size() * 2);
    used_ = 0;
    for (const Slot& slot : old) {
      bool forgotten = slot.a == kForgotten && slot.b == kForgotten;
      if (slot.generation != generation_ || forgotten) continue;
      place(slot);
      ++used_;
    }
  }

  // A power of two.
  void resize(std::size_t slots) {
    slots_.assign(slots, {});
    mask_ = slots - 1;
    shift_ = 64 - static_cast<unsigned>(std::countr_zero(slots));
  }

  std::vector<Slot> slots_;
  std::size_t mask_ = 0;
  unsigned shift_ = 0;
  std::size_t used_ = 0;
  std::uint32_t generation_ = 1;
};

}  // namespace iovm::model
