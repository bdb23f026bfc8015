// SPDX-License-Identifier: Apache-2.0
#include "detect/rule_facts.h"

#include "base/format.h"
#include "base/text.h"

namespace iovm::detect {
namespace {

using Fault = std::optional<RuleFault>;

constexpr std::size_t kMaxReferences = 16;
constexpr std::size_t kLongestText = 4000;

Fault severity(Words& words, Rule& rule, const AttackMap&) {
  const Word* name = words.peek();
  auto severity = name == nullptr ? std::nullopt : severity_named(name->text);
  if (!severity) return words.fault("low, medium, high or critical");
  rule.severity = *severity;
  words.take();
  return std::nullopt;
}

Fault technique(Words& words, Rule& rule, const AttackMap& attack) {
  const Word* word = words.peek();
  auto found = word == nullptr ? attack.techniques.end() : attack.techniques.find(word->text);
  if (found == attack.techniques.end()) {
    return words.fault(iovm::format(
        "a technique of MITRE ATT&CK {} that attack.map has (T1611, ...)", attack.version));
  }
  rule.technique = found->second;
  auto parent = attack.techniques.find(word->text.substr(0, word->text.find('.')));
  if (parent != attack.techniques.end()) rule.parent_technique = parent->second.name;
  words.take();
  return std::nullopt;
}

Fault reference(Words& words, Rule& rule, const AttackMap&) {
  const Word* word = words.peek();
  if (word == nullptr || word->text.empty() || rule.references.size() == kMaxReferences) {
    return words.fault("a source: a CVE, an address, or a text in quotes (at most 16)");
  }
  rule.references.emplace_back(words.take()->text);
  return std::nullopt;
}

Fault about(Words& words, Rule& rule, const AttackMap&) {
  return read_rule_text(words, "a text in quotes", rule.about);
}

Fault per(Words& words, Rule& rule, const AttackMap&) {
  const Word* name = words.peek();
  auto per = name == nullptr ? std::nullopt : per_named(name->text);
  if (!per) return words.fault("device, process, vcpu or vm");
  rule.per = *per;
  words.take();
  return std::nullopt;
}

Fault within(Words& words, Rule& rule, const AttackMap&) {
  const Word* word = words.peek();
  auto time = parse_duration(word == nullptr ? "" : word->text);
  if (!time || time->count() <= 0) return words.fault("a time, as 500ms, 10s or 1h");
  rule.within = static_cast<std::uint64_t>(time->count());
  words.take();
  return std::nullopt;
}

Fault unless(Words& words, Rule& rule, const AttackMap&) {
  if (!words.take_if("model")) return words.fault("model");
  rule.unless_model = true;
  return std::nullopt;
}

struct Line {
  std::string_view name;
  Fault (*read)(Words&, Rule&, const AttackMap&);
};
constexpr Line kLines[] = {
    {"severity", severity}, {"technique", technique}, {"ref", reference}, {"about", about},
    {"per", per},           {"within", within},       {"unless", unless}};

}  // namespace

std::optional<RuleFault> read_rule_text(Words& words, std::string_view expected,
                                        std::string& into) {
  const Word* word = words.peek();
  if (word == nullptr || !word->quoted || word->text.empty()) return words.fault(expected);
  if (into.size() + word->text.size() > kLongestText) {
    return words.fault_at(*word, iovm::format("expected at most {} bytes", kLongestText));
  }
  if (!into.empty()) into += ' ';
  into += words.take()->text;
  return std::nullopt;
}

bool reads_fact(Words& words, Rule& rule, const AttackMap& attack,
                std::optional<RuleFault>& fault) {
  for (const Line& line : kLines) {
    if (!words.take_if(line.name)) continue;
    fault = line.read(words, rule, attack);
    return true;
  }
  return false;
}

}  // namespace iovm::detect
