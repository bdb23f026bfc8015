// SPDX-License-Identifier: Apache-2.0
//
// From plans of access to symbols, where the value or the register behind an index belongs to
// them: each combination is made an operation at its first sight, and remembered in a hash. Holds
// the plans, which say what is made of what; both start over together (clear), symbols stay.
//
// A register that no table has counts its values: from more than kLearnedValues on, none counts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "model/access_cache.h"
#include "model/access_plan.h"
#include "model/symbol.h"

namespace iovm::model {

using PlanIndex = std::uint32_t;

class ValueSymbols {
 public:
  static constexpr std::size_t kMaxPlans = std::size_t{1} << 16;

  explicit ValueSymbols(Alphabet& alphabet) : alphabet_(&alphabet) {}

  bool full() const { return plans_.size() >= kMaxPlans; }
  PlanIndex add(const Plan& plan);
  const Plan& plan(PlanIndex plan) const { return plans_[plan].plan; }
  void clear();

  // The operation without value and index.
  Symbol plain(PlanIndex plan);
  // With the value, which has passed the plan's mask. `merged`: it stands for several.
  Symbol by_value(PlanIndex plan, std::uint64_t value, bool merged = false) {
    const Known* known = known_.find(value, value_key(plan, merged));
    return known != nullptr ? known->symbol : add_value(plan, value, merged);
  }
  // The same as long as the values are few.
  Symbol learned(PlanIndex plan, std::uint64_t value);
  // The register behind an index; of a function, for PCI configuration. The value counts where that
  // is a command register.
  Symbol by_index(PlanIndex plan, std::uint32_t index, std::uint64_t value,
                  const trace::Event& event) {
    const Known* known = known_.find(kNoValue, index_key(plan, index));
    if (known == nullptr) known = &add_index(plan, index, event);
    return known->value_mask == 0 ? known->symbol
                                  : value_behind(plan, index, value & known->value_mask);
  }

 private:
  struct Entry {
    Plan plan;
    std::uint16_t values = 0;     // of a learned one, so far
    std::optional<Symbol> plain;  // once it has occurred
  };
  struct Known {
    Symbol symbol = kOverflow;
    std::uint32_t value_mask = 0;  // of a register behind an index whose value counts; 0 does not
  };

  // What the hash has beside the value: the plan, and what is done with it.
  static std::uint64_t value_key(PlanIndex plan, bool merged) {
    return static_cast<std::uint64_t>(plan) << 33 | (merged ? 1 : 0);
  }
  static std::uint64_t index_key(PlanIndex plan, std::uint32_t index) {
    return (static_cast<std::uint64_t>(plan) << 1 | 1) << 32 | index;
  }
  static constexpr std::uint64_t kNoValue = ~std::uint64_t{0};  // none behind an index is so wide

  Symbol add_value(PlanIndex plan, std::uint64_t value, bool merged);
  const Known& add_index(PlanIndex plan, std::uint32_t index, const trace::Event& event);
  Symbol value_behind(PlanIndex plan, std::uint32_t index, std::uint64_t value);

  Alphabet* alphabet_;
  std::vector<Entry> plans_;
  AccessCache<Known> known_;  // by value, and plan and index
};

}  // namespace iovm::model
