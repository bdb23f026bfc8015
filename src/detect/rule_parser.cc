// SPDX-License-Identifier: Apache-2.0
#include "detect/rule_parser.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/format.h"
#include "base/text.h"
#include "detect/rule_access.h"
#include "detect/rule_facts.h"
#include "detect/rule_inline.h"
#include "model/device_table.h"

namespace iovm::detect {
namespace {

constexpr std::size_t kLongestId = 64;

bool is_id(std::string_view text) {
  auto fits = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  return !text.empty() && text.size() <= kLongestId && std::ranges::all_of(text, fits) &&
         text.front() != '-';
}

// Whether both can be accesses to one and the same device.
bool can_meet(const AccessPattern& a, const AccessPattern& b) {
  auto same = [](std::uint16_t x, std::uint16_t y) {
    return x == y || x == model::kAnyNumber || y == model::kAnyNumber;
  };
  auto meets = [&](const model::DeviceType& x) {
    return std::ranges::any_of(b.devices, [&](const model::DeviceType& y) {
      return x.bus == y.bus && same(x.vendor, y.vendor) && same(x.number, y.number);
    });
  };
  return a.devices.empty() || b.devices.empty() || std::ranges::any_of(a.devices, meets);
}

bool can_meet(const Rule& rule, std::uint32_t these, std::uint32_t those) {
  for (std::size_t i = 0; i < rule.patterns.size(); ++i) {
    for (std::size_t k = 0; (these >> i & 1) != 0 && k < rule.patterns.size(); ++k) {
      if ((those >> k & 1) != 0 && can_meet(rule.patterns[i], rule.patterns[k])) return true;
    }
  }
  return false;
}

class Parser {
 public:
  Parser(std::string_view file, const AttackMap& attack, ParsedRules& out)
      : file_(file), attack_(attack), out_(out) {}

  bool full() const { return out_.faults.size() >= kMaxFaults; }
  void line(Words& words) {
    if (words.done()) return;
    std::optional<RuleFault> fault = statement(words);
    if (!fault && !words.done()) fault = words.fault("the end of the line");
    if (fault) add(std::move(*fault));
  }
  void add(RuleFault fault) {
    faulty_ = true;
    if (!full()) out_.faults.push_back(std::move(fault));
  }
  void finish() { end_of_rule(); }

 private:
  std::optional<RuleFault> statement(Words& words);
  std::optional<RuleFault> begin_rule(Words& words);
  std::optional<RuleFault> property(Words& words);
  std::optional<RuleFault> stops(Words& words);
  std::optional<RuleFault> without(Words& words);
  std::optional<RuleFault> more(Words& words);
  std::optional<RuleFault> step(Words& words);
  std::optional<RuleFault> accesses(Words& words, std::uint32_t& bits);
  void end_of_rule();
  void check_inline();
  void check_devices();

  std::string_view file_;
  const AttackMap& attack_;
  ParsedRules& out_;
  std::set<std::string, std::less<>> ids_;
  std::optional<Rule> rule_;
  bool faulty_ = false;            // the rule, so far
  RuleFault inline_;               // where the rule says inline, if it does
  std::uint32_t* last_ = nullptr;  // the bits that a line with `or` adds to
};

std::optional<RuleFault> Parser::statement(Words& words) {
  if (words.take_if("rule")) return begin_rule(words);
  if (words.take_if("disable")) {
    const Word* word = words.peek();
    if (word == nullptr || word->quoted || !is_id(word->text)) return words.fault("a rule's id");
    out_.disabled.emplace_back(words.take()->text);
    return std::nullopt;
  }
  if (!rule_) {
    return words.fault("a line that begins a rule (rule ID \"TITLE\"), or disable ID");
  }
  return property(words);
}

std::optional<RuleFault> Parser::begin_rule(Words& words) {
  end_of_rule();
  rule_.emplace();
  rule_->file = file_;
  rule_->line = words.line();
  const Word* id = words.peek();
  if (id == nullptr || id->quoted || !is_id(id->text)) {
    return words.fault("an id of small letters, digits and -");
  }
  if (out_.rules.size() == kMaxRules) {
    return words.fault_at(*id, iovm::format("expected at most {} rules", kMaxRules));
  }
  if (!ids_.emplace(id->text).second) {
    return words.fault_at(*id, "expected a new id: this file has a rule of that id before");
  }
  rule_->id = words.take()->text;
  return read_rule_text(words, "the rule's title in quotes", rule_->title);
}

std::optional<RuleFault> Parser::stops(Words& words) {
  rule_->stops = true;
  inline_ = words.fault_before("");
  return std::nullopt;
}

std::optional<RuleFault> Parser::without(Words& words) {
  if (rule_->steps.empty()) return words.fault_before("expected a step before its without");
  last_ = &rule_->steps.back().without;
  return accesses(words, *last_);
}

// A line that goes on with the step or without before it.
std::optional<RuleFault> Parser::more(Words& words) {
  if (last_ == nullptr) return words.fault_before("expected a step or without before its or");
  return accesses(words, *last_);
}

std::optional<RuleFault> Parser::property(Words& words) {
  struct Line {
    std::string_view name;
    std::optional<RuleFault> (Parser::*read)(Words&);
  };
  static constexpr Line kLines[] = {{"inline", &Parser::stops},
                                    {"step", &Parser::step},
                                    {"without", &Parser::without},
                                    {"or", &Parser::more}};
  for (const Line& line : kLines) {
    if (!words.take_if(line.name)) continue;
    if (line.name != "or") last_ = nullptr;
    return (this->*line.read)(words);
  }
  std::optional<RuleFault> fault;
  last_ = nullptr;
  if (reads_fact(words, *rule_, attack_, fault)) return fault;
  return words.fault(
      "severity, technique, ref, about, per, within, unless, inline, step, without, or, rule or "
      "disable");
}

// step [N times | N different] ACCESS [or ACCESS ...]
std::optional<RuleFault> Parser::step(Words& words) {
  if (rule_->steps.size() == kMaxRuleSteps) {
    return words.fault(iovm::format("at most {} steps", kMaxRuleSteps));
  }
  RuleStep step;
  const Word* word = words.peek();
  if (word != nullptr && !word->text.empty() && word->text[0] >= '0' && word->text[0] <= '9') {
    auto count = parse_unsigned(word->text);
    if (!count || *count == 0 || *count > kMaxRuleCount) {
      return words.fault(iovm::format("a count from 1 to {}", kMaxRuleCount));
    }
    words.take();
    step.count = static_cast<std::uint32_t>(*count);
    step.different = words.take_if("different");
    if (!step.different && !words.take_if("times")) return words.fault("times or different");
    if (step.different && *count > kMaxDifferent) {
      return words.fault_at(*word, iovm::format("expected at most {} different", kMaxDifferent));
    }
  }
  rule_->steps.push_back(step);
  last_ = &rule_->steps.back().want;
  return accesses(words, *last_);
}

std::optional<RuleFault> Parser::accesses(Words& words, std::uint32_t& bits) {
  do {
    if (rule_->patterns.size() == kMaxRulePatterns) {
      return words.fault(iovm::format("at most {} accesses in a rule", kMaxRulePatterns));
    }
    auto access = parse_access(words);
    if (auto* fault = std::get_if<RuleFault>(&access)) return *fault;
    bits |= std::uint32_t{1} << rule_->patterns.size();
    rule_->patterns.push_back(std::get<AccessPattern>(std::move(access)));
  } while (words.take_if("or"));
  return std::nullopt;
}

void Parser::end_of_rule() {
  last_ = nullptr;
  if (!rule_) {
    faulty_ = false;
    return;
  }
  auto lacks = [&](bool there, std::string_view what) {
    if (there || faulty_) return;
    add({rule_->line, 1, iovm::format("expected {} in rule {}, found none", what, rule_->id)});
  };
  lacks(!rule_->steps.empty(), "a step");
  lacks(!rule_->technique.id.empty(), "a technique");
  lacks(!rule_->references.empty(), "a ref (the source of the rule)");
  if (rule_->stops && !faulty_) check_inline();
  if (rule_->per == Per::device && !faulty_) check_devices();
  if (!faulty_) out_.rules.push_back(std::move(*rule_));
  rule_.reset();
  faulty_ = false;
}

// A fault of the line that says inline: the others may be as they are without it.
void Parser::check_inline() {
  auto writes = inline_writes(*rule_);
  if (const auto* lack = std::get_if<std::string>(&writes)) {
    add({inline_.line, inline_.column, "inline: expected " + *lack});
  }
}

// Accesses are put together by device unless the rule says otherwise: steps on two devices would
// never be one attempt.
void Parser::check_devices() {
  for (std::size_t i = 1; i < rule_->steps.size(); ++i) {
    if (can_meet(*rule_, rule_->steps[0].want, rule_->steps[i].want)) continue;
    add({rule_->line, 1,
         iovm::format("expected the steps of rule {} on one device, found step {} on another than "
                      "step 1; say per process, vcpu or vm",
                      rule_->id, i + 1)});
    return;
  }
}

}  // namespace

ParsedRules parse_rules(std::string_view file, std::string_view text, const AttackMap& attack) {
  ParsedRules out;
  Parser parser(file, attack, out);
  each_line(text, out.faults, [&](Words& words, std::optional<RuleFault> fault) {
    if (fault) {
      parser.add(std::move(*fault));
    } else {
      parser.line(words);
    }
  });
  parser.finish();
  return out;
}

}  // namespace iovm::detect
