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
  Symbol by_value(PlanIndex plan, std::uint64_t value, bool merged = false);
  // The same as long as the values are few.
  Symbol learned(PlanIndex plan, std::uint64_t value);
  // The register behind an index; of a function, for PCI configuration. The value counts where that
  // is a command register.
  Symbol by_index(PlanIndex plan, std::uint32_t index, std::uint64_t value,
                  const trace::Event& event);

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

  Alphabet* alphabet_;
  std::vector<Entry> plans_;
  AccessCache<Known> known_;  // by value, and plan and index
};

}  // namespace iovm::model
