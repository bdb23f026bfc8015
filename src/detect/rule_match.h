// SPDX-License-Identifier: Apache-2.0
//
// Whether an access is one that a pattern of a rule means, in two parts: what its symbol and the
// code that did it decide, which RuleWatch asks once for each symbol, and what only the event says.
#pragma once

#include "detect/rule.h"
#include "model/access_plan.h"
#include "model/symbol.h"

namespace iovm::detect {

// Whether a register's name is the one meant; # in it stands for any number.
bool matches_name(std::string_view wanted, std::string_view name);

// Whether it can mean accesses to devices of the type.
bool can_be_on(const AccessPattern& pattern, const model::DeviceType& device);

// Whether events of the operation, by code of that class, can be meant. `reg`: the operation's own,
// as the tables have it.
bool can_match(const AccessPattern& pattern, const model::Operation& operation,
               const model::Register& reg, model::CodeClass code);

// Whether the pattern names what an index register selects, and the operation selects it and writes
// it in one access: its value is behind the index then.
bool means_selected(const AccessPattern& pattern, const model::Operation& operation,
                    const model::Register& reg);

// Whether the event is meant, of which can_match() is true.
inline bool matches(const AccessPattern& pattern, const trace::Event& event, bool selected) {
  if (!pattern.values.any()) {
    std::uint64_t value = selected ? event.value >> model::kPairShift : event.value;
    if (!event.has(trace::Field::value) || !pattern.values.has(value)) return false;
  }
  if (pattern.misaligned && (event.size < 2 || event.address % event.size == 0)) return false;
  return true;
}

}  // namespace iovm::detect
