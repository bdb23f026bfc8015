// SPDX-License-Identifier: Apache-2.0
//
// The techniques of MITRE ATT&CK that rules may name, with the version they are of: the text file
// rules/attack.map, which says how its lines are made.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "detect/rule.h"
#include "detect/rule_words.h"

namespace iovm::detect {

struct AttackMap {
  std::string version;
  std::map<std::string, Technique, std::less<>> techniques;  // by id
};

struct ParsedAttackMap {
  AttackMap map;
  std::vector<RuleFault> faults;
};
ParsedAttackMap parse_attack_map(std::string_view text);

}  // namespace iovm::detect
