// SPDX-License-Identifier: Apache-2.0
//
// Where rules come from: the built-in ones (rules/*.rules, compiled in, installed as files too),
// and files and directories of the user. A user's rule takes the place of the built-in one of the
// same id, and `disable ID` takes one away; so a site adapts what it must without copying the rest.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "detect/rule.h"
#include "detect/rule_parser.h"

namespace iovm::detect {

// A file that is compiled in: rules/NAME.
struct RuleText {
  std::string_view name;
  std::string_view text;
};
std::span<const RuleText> rule_texts();

const AttackMap& built_in_attack_map();

// The files that a path stands for: itself, or the *.rules in a directory, by name.
Result<std::vector<std::string>> rule_files(const std::string& path);
// One file, alone.
Result<ParsedRules> read_rules(const std::string& path);

// All of them together. The faults of the first file that has some are the error, one a line.
Result<std::shared_ptr<const RuleSet>> load_rules(const std::vector<std::string>& paths,
                                                  bool built_in, std::uint32_t first_number = 1);

}  // namespace iovm::detect
