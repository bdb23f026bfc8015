// SPDX-License-Identifier: Apache-2.0
#include "detect/rule_files.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/assert.h"
#include "base/fd.h"
#include "base/format.h"
#include "base/text.h"

namespace iovm::detect {
namespace {

constexpr std::string_view kEnding = ".rules";
constexpr std::string_view kMap = "attack.map";

Error faults_error(std::string_view file, const std::vector<RuleFault>& faults) {
  std::string text;
  for (const RuleFault& fault : faults) {
    text += (text.empty() ? "" : "\n") + describe(file, fault);
  }
  return input_error(std::move(text));
}

std::vector<Rule> built_in_rules() {
  std::vector<Rule> out;
  for (const RuleText& file : rule_texts()) {
    if (!file.name.ends_with(kEnding)) continue;
    ParsedRules parsed = parse_rules(file.name, file.text, built_in_attack_map());
    IOVM_ASSERT(parsed.faults.empty());
    std::ranges::move(parsed.rules, std::back_inserter(out));
  }
  return out;
}

}  // namespace

const AttackMap& built_in_attack_map() {
  static const AttackMap map = [] {
    for (const RuleText& file : rule_texts()) {
      if (file.name != kMap) continue;
      ParsedAttackMap parsed = parse_attack_map(file.text);
      IOVM_ASSERT(parsed.faults.empty());
      return std::move(parsed.map);
    }
    return AttackMap();
  }();
  return map;
}

Result<std::vector<std::string>> rule_files(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (!fs::is_directory(path, error)) return std::vector<std::string>{path};
  std::vector<std::string> out;
  for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() == kEnding) out.push_back(it->path().string());
  }
  if (error) return errno_error("reading directory " + escape_terminal(path), error.value());
  if (out.empty()) {
    return input_error(iovm::format("{}: no *.rules in this directory (see iovm-rules(5))",
                                    escape_terminal(path)));
  }
  std::ranges::sort(out);
  return out;
}

Result<ParsedRules> read_rules(const std::string& path) {
  auto text = read_file(path, kLargestRuleFile);
  if (!text) return std::move(text).error();
  return parse_rules(path, *text, built_in_attack_map());
}

Result<std::shared_ptr<const RuleSet>> load_rules(const std::vector<std::string>& paths,
                                                  bool built_in, std::uint32_t first_number) {
  auto set = std::make_shared<RuleSet>();
  set->first_number = first_number;
  set->attack_version = built_in_attack_map().version;
  if (built_in) set->rules = built_in_rules();
  const std::size_t built = set->rules.size();
  auto remove = [&](std::string_view id, std::size_t from, std::size_t to) {
    auto begin = set->rules.begin() + static_cast<std::ptrdiff_t>(from);
    auto end = set->rules.begin() + static_cast<std::ptrdiff_t>(to);
    auto at = std::find_if(begin, end, [id](const Rule& r) { return r.id == id; });
    if (at != end) at->steps.clear();  // it can hit no more
    return at != end;
  };
  for (const std::string& path : paths) {
    auto files = rule_files(path);
    if (!files) return std::move(files).error();
    for (const std::string& file : *files) {
      auto parsed = read_rules(file);
      if (!parsed) return std::move(parsed).error();
      if (!parsed->faults.empty()) return faults_error(file, parsed->faults);
      for (const std::string& id : parsed->disabled) remove(id, 0, built);
      for (Rule& rule : parsed->rules) {
        auto same = std::find_if(set->rules.begin() + static_cast<std::ptrdiff_t>(built),
                                 set->rules.end(), [&](const Rule& r) { return r.id == rule.id; });
        if (same != set->rules.end()) {
          return input_error(iovm::format("{}:{}:1: rule {} is in {}:{} too", escape_terminal(file),
                                          rule.line, rule.id, escape_terminal(same->file),
                                          same->line));
        }
        remove(rule.id, 0, built);
        set->rules.push_back(std::move(rule));
      }
    }
  }
  std::erase_if(set->rules, [](const Rule& r) { return r.steps.empty(); });
  if (set->rules.size() > kMaxRules) {
    return input_error(
        iovm::format("{} rules are too many (at most {})", set->rules.size(), kMaxRules));
  }
  return std::shared_ptr<const RuleSet>(std::move(set));
}

}  // namespace iovm::detect
