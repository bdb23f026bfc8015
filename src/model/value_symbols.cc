// SPDX-License-Identifier: Apache-2.0
#include "model/value_symbols.h"

#include "model/tokenizer.h"

namespace iovm::model {

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

Symbol ValueSymbols::add_value(PlanIndex plan, std::uint64_t value, bool merged) {
  Operation op = plans_[plan].plan.base;
  if (merged) op.set(Mark::merged);
  op.set(Mark::value);
  op.value = value;
  return known_.insert(value, value_key(plan, merged), {alphabet_->intern(op), 0}).symbol;
}

Symbol ValueSymbols::learned(PlanIndex plan, std::uint64_t value) {
  Entry& entry = plans_[plan];
  if (entry.values > kLearnedValues) return plain(plan);
  if (const Known* known = known_.find(value, value_key(plan, false))) return known->symbol;
  if (++entry.values > kLearnedValues) return plain(plan);
  return by_value(plan, value);
}

const ValueSymbols::Known& ValueSymbols::add_index(PlanIndex plan, std::uint32_t index,
                                                   const trace::Event& event) {
  const Plan& access = plans_[plan].plan;
  Known fresh{kOverflow, value_mask_behind(access, index, event)};
  // Where the value counts, the operation without it may never occur.
  if (fresh.value_mask == 0) fresh.symbol = alphabet_->intern(behind_index(access, index));
  return known_.insert(kNoValue, index_key(plan, index), fresh);
}

Symbol ValueSymbols::value_behind(PlanIndex plan, std::uint32_t index, std::uint64_t value) {
  std::uint64_t key = index_key(plan, index);
  if (const Known* known = known_.find(value, key)) return known->symbol;
  Operation op = behind_index(plans_[plan].plan, index);
  op.set(Mark::value);
  op.value = value;
  return known_.insert(value, key, {alphabet_->intern(op), 0}).symbol;
}

}  // namespace iovm::model
