// SPDX-License-Identifier: Apache-2.0
#include "model/value_symbols.h"

#include "model/tokenizer.h"

namespace iovm::model {
namespace {

// What the hash has beside the value: the plan, and what is done with it.
std::uint64_t value_key(PlanIndex plan, bool merged) {
  return static_cast<std::uint64_t>(plan) << 33 | (merged ? 1 : 0);
}
std::uint64_t index_key(PlanIndex plan, std::uint32_t index) {
  return (static_cast<std::uint64_t>(plan) << 1 | 1) << 32 | index;
}

}  // namespace

PlanIndex ValueSymbols::add(const Plan& plan) {
  plans_.push_back({plan, 0, std::nullopt});
  return static_cast<PlanIndex>(plans_.size() - 1);
}

void ValueSymbols::clear() {
  plans_.clear();
  known_.clear();
}

Symbol ValueSymbols::plain(PlanIndex plan) {
  Entry& entry = plans_[plan];
  if (!entry.plain) entry.plain = alphabet_->intern(entry.plan.base);
  return *entry.plain;
}

Symbol ValueSymbols::by_value(PlanIndex plan, std::uint64_t value, bool merged) {
  std::uint64_t key = value_key(plan, merged);
  if (const Known* known = known_.find(value, key)) return known->symbol;
  Operation op = plans_[plan].plan.base;
  if (merged) op.set(Mark::merged);
  op.set(Mark::value);
  op.value = value;
  return known_.insert(value, key, {alphabet_->intern(op), 0}).symbol;
}

Symbol ValueSymbols::learned(PlanIndex plan, std::uint64_t value) {
  Entry& entry = plans_[plan];
  if (entry.values > kLearnedValues) return plain(plan);
  if (const Known* known = known_.find(value, value_key(plan, false))) return known->symbol;
  if (++entry.values > kLearnedValues) return plain(plan);
  return by_value(plan, value);
}

Symbol ValueSymbols::by_index(PlanIndex plan, std::uint32_t index, std::uint64_t value,
                              const trace::Event& event) {
  constexpr std::uint64_t kNoValue = ~std::uint64_t{0};  // no register behind an index is that wide
  std::uint64_t key = index_key(plan, index);
  const Known* known = known_.find(kNoValue, key);
  if (known == nullptr) {
    const Plan& access = plans_[plan].plan;
    Known fresh{kOverflow, value_mask_behind(access, index, event)};
    // Where the value counts, the operation without it may never occur.
    if (fresh.value_mask == 0) fresh.symbol = alphabet_->intern(behind_index(access, index));
    known = &known_.insert(kNoValue, key, fresh);
  }
  if (known->value_mask == 0) return known->symbol;
  std::uint64_t counted = value & known->value_mask;
  if (const Known* valued = known_.find(counted, key)) return valued->symbol;
  Operation op = behind_index(plans_[plan].plan, index);
  op.set(Mark::value);
  op.value = counted;
  return known_.insert(counted, key, {alphabet_->intern(op), 0}).symbol;
}

}  // namespace iovm::model
