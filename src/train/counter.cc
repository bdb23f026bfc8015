// SPDX-License-Identifier: Apache-2.0
#include "train/counter.h"

#include <algorithm>

#include "base/assert.h"

namespace iovm::train {

using model::kNoSymbol;
using model::Symbol;

Counter::Counter(std::uint32_t context_length, std::size_t most)
    : length_(context_length),
      most_(most),
      slots_(1024),
      mask_(slots_.size() - 1),
      fresh_(context_length, kNoSymbol),
      context_slots_(1024, 0) {
  IOVM_ASSERT(context_length <= model::kMaxContext);
  intern();  // the empty context is number 0
}

Counter::Context Counter::add_new(Context context, Symbol symbol) {
  if (used_ >= most_) {
    ++left_out_;
    return kStart;
  }
  if ((used_ + 1) * 2 > slots_.size()) grow_slots();
  Context next = after(context, symbol);
  std::uint64_t key = static_cast<std::uint64_t>(context) << 32 | symbol;
  std::size_t at = hash(key) & mask_;
  while (slots_[at].count != 0) at = (at + 1) & mask_;
  slots_[at] = {key, 1, next};
  ++used_;
  return next;
}

Counter::Context Counter::after(Context context, Symbol symbol) {
  if (length_ == 0) return kStart;
  auto first = contexts_.begin() + static_cast<std::ptrdiff_t>(context) * length_;
  std::copy(first + 1, first + length_, fresh_.begin());
  fresh_.back() = symbol;
  return intern();
}

std::size_t Counter::context_hash(const Symbol* symbols) const {
  std::uint64_t h = 0;
  for (std::uint32_t i = 0; i < length_; ++i) h = (h ^ symbols[i]) * 0x9e3779b97f4a7c15 + (h >> 31);
  return static_cast<std::size_t>(h ^ h >> 32);
}

// The number of the context in fresh_.
Counter::Context Counter::intern() {
  std::size_t mask = context_slots_.size() - 1;
  std::size_t at = context_hash(fresh_.data()) & mask;
  for (; context_slots_[at] != 0; at = (at + 1) & mask) {
    auto known = contexts_.begin() + static_cast<std::ptrdiff_t>(context_slots_[at] - 1) * length_;
    if (std::equal(fresh_.begin(), fresh_.end(), known)) return context_slots_[at] - 1;
  }
  auto number = static_cast<Context>(context_count_++);
  contexts_.insert(contexts_.end(), fresh_.begin(), fresh_.end());
  context_slots_[at] = number + 1;
  if (context_count_ * 2 > context_slots_.size()) grow_contexts();
  return number;
}

void Counter::grow_slots() {
  std::vector<Slot> old(slots_.size() * 2);
  old.swap(slots_);
  mask_ = slots_.size() - 1;
  for (const Slot& slot : old) {
    if (slot.count == 0) continue;
    std::size_t at = hash(slot.key) & mask_;
    while (slots_[at].count != 0) at = (at + 1) & mask_;
    slots_[at] = slot;
  }
}

void Counter::grow_contexts() {
  context_slots_.assign(context_slots_.size() * 2, 0);
  std::size_t mask = context_slots_.size() - 1;
  for (std::size_t i = 0; i < context_count_; ++i) {
    std::size_t at = context_hash(contexts_.data() + i * length_) & mask;
    while (context_slots_[at] != 0) at = (at + 1) & mask;
    context_slots_[at] = static_cast<Context>(i) + 1;
  }
}

model::Ngrams Counter::ngrams() const {
  model::Ngrams out{length_ + 1, {}, {}};
  for (const Slot& slot : slots_) {
    if (slot.count == 0) continue;
    auto context = static_cast<std::ptrdiff_t>(slot.key >> 32) * length_;
    out.symbols.insert(out.symbols.end(), contexts_.begin() + context,
                       contexts_.begin() + context + length_);
    out.symbols.push_back(static_cast<Symbol>(slot.key));
    out.counts.push_back(slot.count);
  }
  return model::canonical(out);
}

}  // namespace iovm::train
