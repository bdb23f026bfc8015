// SPDX-License-Identifier: Apache-2.0
#include "detect/rule_asking.h"

#include <bit>

#include "detect/rule_match.h"

namespace iovm::detect {
namespace {

constexpr std::size_t kMostDeviceTypes = 4096;

// An access that the alphabet had no place for any more, by its address alone: who fills the
// alphabet is not rid of the rules about ports.
model::Operation bare(const trace::Event& event, model::CodeClass code) {
  model::Operation op;
  op.direction = event.direction;
  op.size = event.size;
  op.space = event.kind == trace::EventKind::pio ? model::Space::port : model::Space::memory;
  op.reg = event.address;
  op.device = model::fixed_device(op.space, event.address);
  if (code == model::CodeClass::user) op.set(model::Mark::user);
  return op;
}

// The patterns, among `patterns`, that are meant.
template <typename Meant>
std::uint32_t those(std::uint32_t patterns, const Rule& rule, Meant&& meant) {
  std::uint32_t out = 0;
  for (std::uint32_t rest = patterns; rest != 0; rest &= rest - 1) {
    auto pattern = static_cast<std::size_t>(std::countr_zero(rest));
    if (meant(rule.patterns[pattern])) out |= std::uint32_t{1} << pattern;
  }
  return out;
}

// Who shares a bit with others never takes it back.
bool is_shared(std::uint32_t rule) {
  return rule >= kRuleBits - 1;
}

}  // namespace

RuleAsking::RuleAsking(const RuleSet& rules, bool model) : rules_(&rules), model_(model) {
  lists_.resize(2);
  lists_[kUnseen].interest = ~RuleBits{0};
}

// The rules, with the patterns, that can ask for something on devices of the type.
const std::vector<Asking>& RuleAsking::candidates(const model::DeviceType& device) {
  auto known = candidates_.find(device);
  if (known != candidates_.end()) return known->second;
  if (candidates_.size() >= kMostDeviceTypes) candidates_.clear();
  std::vector<Asking>& out = candidates_[device];
  for (std::uint32_t i = 0; i < rules_->rules.size(); ++i) {
    const Rule& rule = rules_->rules[i];
    if (rule.unless_model && model_) continue;
    auto all = static_cast<std::uint32_t>((std::uint64_t{1} << rule.patterns.size()) - 1);
    std::uint32_t patterns =
        those(all, rule, [&](const AccessPattern& p) { return can_be_on(p, device); });
    if (patterns != 0) out.push_back({i, patterns, 0, bit_of(i)});
  }
  return out;
}

RuleAsking::List RuleAsking::ask(const model::Operation& operation, model::CodeClass code) {
  List out;
  const model::Operation& o = operation;
  model::Register reg = model::find_register(o.device, o.space, o.reg, o.size);
  for (Asking asking : candidates(o.device)) {
    const Rule& rule = rules_->rules[asking.rule];
    asking.patterns = those(asking.patterns, rule,
                            [&](const AccessPattern& p) { return can_match(p, o, reg, code); });
    if (asking.patterns == 0) continue;
    asking.selected = those(asking.patterns, rule,
                            [&](const AccessPattern& p) { return means_selected(p, o, reg); });
    if ((asking.patterns & rule.steps.front().want) != 0) asking.interest |= kFirstStep;
    out.interest |= asking.interest;
    out.rules.push_back(asking);
  }
  return out;
}

std::span<const Asking> RuleAsking::of(const trace::Event& event, const model::Token& token,
                                       const model::Alphabet& alphabet) {
  if (model::is_unknown(token.symbol)) {
    scratch_ = ask(bare(event, token.code), token.code);
    return scratch_.rules;
  }
  std::size_t slot = slot_of(token);
  if (slot >= lists_of_.size()) {
    lists_of_.resize(std::max(alphabet.size() * kCodeSlots, slot + 1), kUnseen);
  }
  std::uint32_t& list = lists_of_[slot];
  if (list == kUnseen) {
    List fresh = ask(alphabet.operation(token.symbol), token.code);
    list = fresh.rules.empty() ? kNobody : static_cast<std::uint32_t>(lists_.size());
    if (!fresh.rules.empty()) lists_.push_back(std::move(fresh));
  }
  return lists_[list].rules;
}

void RuleAttempts::began(const Rule& rule, std::uint32_t number, model::DeviceIndex device) {
  if (rule.per != Per::device) {
    ++waiting_[number];
    anywhere_ |= bit_of(number);
    return;
  }
  if (device >= on_device_.size()) on_device_.resize(device + std::size_t{1}, 0);
  on_device_[device] |= bit_of(number);
}

void RuleAttempts::ended(const Rule& rule, std::uint32_t number, model::DeviceIndex device) {
  if (rule.per != Per::device) {
    if (--waiting_[number] == 0 && !is_shared(number)) anywhere_ &= ~bit_of(number);
    return;
  }
  // The last number is that of all devices for which there was none left.
  bool alone = device + std::size_t{1} < model::kMaxDevices && !is_shared(number);
  if (alone && device < on_device_.size()) on_device_[device] &= ~bit_of(number);
}

}  // namespace iovm::detect
