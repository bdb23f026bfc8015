// SPDX-License-Identifier: Apache-2.0
//
// The lines of a rule that say something about it, each by itself: severity, technique, ref, about,
// per, within, unless. What the rule looks for, and how its lines belong together, is
// rule_parser.cc's.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "detect/attack_map.h"
#include "detect/rule.h"
#include "detect/rule_words.h"

namespace iovm::detect {

// Whether the line is one of these; then it is read, or `fault` says what it lacks.
bool reads_fact(Words& words, Rule& rule, const AttackMap& attack, std::optional<RuleFault>& fault);
// A text in quotes; one more is added to it.
std::optional<RuleFault> read_rule_text(Words& words, std::string_view expected, std::string& into);

}  // namespace iovm::detect
