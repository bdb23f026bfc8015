// SPDX-License-Identifier: Apache-2.0
//
// Which rules can make something of an event: what keeps the price of rules near nothing. A rule
// can if its first step asks for the event's symbol, or if another one does and an attempt at the
// rule is under way, for rules that look at each device by itself: on that device. Who asks for a
// symbol is worked out at its first sight, among the rules that name such a device; which attempts
// are under way the RuleWatch tells. Then it is one look into a table and one into a set of bits.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "detect/rule.h"
#include "model/tokenizer.h"

namespace iovm::detect {

// A bit for each rule that has an attempt under way; those from kRuleBits on share the last one.
using RuleBits = std::uint64_t;
inline constexpr std::uint32_t kRuleBits = 63;
inline constexpr RuleBits kFirstStep = RuleBits{1} << kRuleBits;  // is always under way
inline RuleBits bit_of(std::uint32_t rule) {
  return RuleBits{1} << std::min(rule, kRuleBits - 1);
}

// A rule that asks for a symbol, and with which of its patterns.
struct Asking {
  std::uint32_t rule = 0;
  std::uint32_t patterns = 0;
  std::uint32_t selected = 0;  // of these, those whose value is behind an index (means_selected)
  RuleBits interest = 0;  // it can make something of the symbol while one of these is under way
};

class RuleAsking {
 public:
  // `model`: a model looks at the same events. The rules must outlive it.
  RuleAsking(const RuleSet& rules, bool model);

  // While one of these is under way somebody can make something of the symbol; all bits if nobody
  // has asked yet.
  RuleBits interest(const model::Token& token) const {
    std::size_t slot = slot_of(token);
    return slot < lists_of_.size() ? lists_[lists_of_[slot]].interest : ~RuleBits{0};
  }
  // Who asks for it; valid until the next call.
  std::span<const Asking> of(const trace::Event& event, const model::Token& token,
                             const model::Alphabet& alphabet);

 private:
  struct List {
    RuleBits interest = 0;
    std::vector<Asking> rules;
  };
  static constexpr std::size_t kCodeSlots = 8;  // code classes, rounded up
  static constexpr std::uint32_t kUnseen = 0;   // nobody has asked yet
  static constexpr std::uint32_t kNobody = 1;

  static std::size_t slot_of(const model::Token& token) {
    return std::size_t{token.symbol} * kCodeSlots + static_cast<std::size_t>(token.code);
  }
  List ask(const model::Operation& operation, model::CodeClass code);
  const std::vector<Asking>& candidates(const model::DeviceType& device);

  const RuleSet* rules_;
  bool model_;
  std::vector<std::uint32_t> lists_of_;  // by symbol and code: an index in lists_
  std::vector<List> lists_;
  List scratch_;
  std::map<model::DeviceType, std::vector<Asking>> candidates_;
};

// Which rules have attempts under way. It may say too much, never too little: an attempt that gives
// way to another or is ended by a loss stays.
class RuleAttempts {
 public:
  explicit RuleAttempts(const RuleSet& rules) : waiting_(rules.rules.size()) {}

  // What is under way that an event of the device can go on with.
  RuleBits on(model::DeviceIndex device) const {
    return device < on_device_.size() ? anywhere_ | on_device_[device] : anywhere_;
  }
  // An event of the device began an attempt, or ended one.
  void began(const Rule& rule, std::uint32_t number, model::DeviceIndex device);
  void ended(const Rule& rule, std::uint32_t number, model::DeviceIndex device);

 private:
  RuleBits anywhere_ = kFirstStep;
  std::vector<RuleBits> on_device_;   // of rules that look at each device by itself
  std::vector<std::size_t> waiting_;  // attempts, by rule, of those that do not
};

}  // namespace iovm::detect
