// SPDX-License-Identifier: Apache-2.0
//
// Rules that are marked `inline`: a live source stops the VM at their write, in the exit itself,
// before a device of the VMM has seen it. There the kernel knows the address, the size and the
// value of one access and nothing else, so that is all such a rule may be about: one step of one
// write to registers whose addresses never change. What depends on anything before (an index, a
// phase, a BAR, whose code it is) is refused with its reason, rather than stop a VM for less than
// the rule says.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "detect/rule.h"
#include "trace/write_match.h"

namespace iovm::detect {

// Addresses of one rule.
inline constexpr std::size_t kMaxInlineAddresses = 256;

// The writes that the rule means, without their number; or what an inline rule would have to have,
// and what was found: "one step, found 2".
std::variant<std::vector<trace::WriteMatch>, std::string> inline_writes(const Rule& rule);

// Of all rules of the set that are marked, each with its number (RuleSet::number_of).
std::vector<trace::WriteMatch> inline_writes(const RuleSet& rules);

}  // namespace iovm::detect
