// SPDX-License-Identifier: Apache-2.0
#include "detect/attack_map.h"

#include <utility>

namespace iovm::detect {
namespace {

std::optional<RuleFault> map_line(Words& words, AttackMap& map) {
  if (words.take_if("version")) {
    if (words.done()) return words.fault("the version of MITRE ATT&CK");
    map.version = words.take()->text;
    return std::nullopt;
  }
  Technique technique;
  std::pair<std::string*, std::string_view> fields[] = {
      {&technique.id, "a technique's id (T1611)"},
      {&technique.name, "its name in quotes"},
      {&technique.tactic_id, "its tactic's id (TA0004)"},
      {&technique.tactic, "the tactic's name in quotes"}};
  for (auto& [into, what] : fields) {
    const Word* word = words.peek();
    bool is_name = into == &technique.name || into == &technique.tactic;
    if (word == nullptr || word->text.empty() || word->quoted != is_name) return words.fault(what);
    *into = words.take()->text;
  }
  std::string id = technique.id;
  map.techniques.insert_or_assign(id, std::move(technique));
  return std::nullopt;
}

}  // namespace

ParsedAttackMap parse_attack_map(std::string_view text) {
  ParsedAttackMap out;
  each_line(text, out.faults, [&](Words& words, std::optional<RuleFault> fault) {
    if (!fault && !words.done()) fault = map_line(words, out.map);
    if (!fault && !words.done()) fault = words.fault("the end of the line");
    if (fault) out.faults.push_back(std::move(*fault));
  });
  return out;
}

}  // namespace iovm::detect
