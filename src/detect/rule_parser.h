// SPDX-License-Identifier: Apache-2.0
//
// Rule files as text to rules as data; iovm-rules(5) is what is read here. A file is read to its
// end, whatever is wrong in it, and every fault has its line, its column and what was expected
// there. A rule with a fault is not among the rules.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "detect/attack_map.h"
#include "detect/rule.h"
#include "detect/rule_words.h"

namespace iovm::detect {

struct ParsedRules {
  std::vector<Rule> rules;
  std::vector<std::string> disabled;  // ids of rules of other files
  std::vector<RuleFault> faults;      // at most kMaxFaults
};

inline constexpr std::size_t kLargestRuleFile = std::size_t{1} << 20;

// `file` is what the rules say they are from.
ParsedRules parse_rules(std::string_view file, std::string_view text, const AttackMap& attack);

}  // namespace iovm::detect
