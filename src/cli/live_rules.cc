// SPDX-License-Identifier: Apache-2.0
#include "cli/live_rules.h"

#include <algorithm>
#include <utility>

#include "base/format.h"
#include "cli/say.h"
#include "detect/rule_inline.h"

namespace iovm::cli {

Result<std::unique_ptr<LiveRules>> LiveRules::load(std::vector<std::string> paths, bool built_in) {
  auto rules = detect::load_rules(paths, built_in);
  if (!rules) return std::move(rules).error();
  std::unique_ptr<LiveRules> out(new LiveRules());
  out->paths_ = std::move(paths);
  out->built_in_ = built_in;
  out->rules_ = *std::move(rules);
  out->know(out->rules_);
  return out;
}

std::shared_ptr<const detect::RuleSet> LiveRules::current() const {
  std::lock_guard guard(lock_);
  return rules_;
}

std::size_t LiveRules::inline_rules() const {
  auto rules = current();
  return static_cast<std::size_t>(std::ranges::count_if(rules->rules, &detect::Rule::stops));
}

Status LiveRules::arm(Arm arm) {
  std::lock_guard guard(lock_);
  if (auto ok = arm(detect::inline_writes(*rules_)); !ok) return ok;
  arm_ = std::move(arm);
  return {};
}

void LiveRules::disarm() {
  std::lock_guard guard(lock_);
  arm_ = nullptr;
}

void LiveRules::know(std::shared_ptr<const detect::RuleSet> rules) {
  constexpr std::size_t kMost = 64;
  known_.push_back(std::move(rules));
  if (known_.size() <= kMost) return;
  known_.pop_front();
  ++forgotten_;
}

std::vector<std::shared_ptr<const detect::RuleSet>> LiveRules::known_since(std::size_t from) const {
  std::lock_guard guard(lock_);
  std::size_t first = std::min(from - std::min(from, forgotten_), known_.size());
  return {known_.begin() + static_cast<std::ptrdiff_t>(first), known_.end()};
}

// Where others cannot be armed, those before are again.
Status LiveRules::take(std::shared_ptr<const detect::RuleSet> rules) {
  std::lock_guard guard(lock_);
  know(rules);
  if (arm_) {
    if (auto ok = arm_(detect::inline_writes(*rules)); !ok) {
      static_cast<void>(arm_(detect::inline_writes(*rules_)));
      return ok;
    }
  }
  rules_ = std::move(rules);
  version_.fetch_add(1, std::memory_order_release);
  return {};
}

void LiveRules::reload() {
  auto before = current();
  auto first_number = before->number_of(before->rules.size());
  auto rules = detect::load_rules(paths_, built_in_, first_number);
  Status taken = rules ? take(*rules) : Status(rules.error());
  constexpr Say say{"iovm detect"};
  if (taken) {
    say(format("{} rules are in force now", (*rules)->rules.size()));
  } else {
    say(taken.error().message());
    say("the rules stay as they were");
  }
}

Result<std::span<const trace::Event>> ReloadingSource::next() {
  auto batch = source_.next();
  // Behind the batch: whatever its stops were for is known by now.
  for (auto& rules : rules_.known_since(known_)) {
    watch_.know(std::move(rules));
    ++known_;
  }
  if (!batch || version_ == rules_.version()) return batch;
  version_ = rules_.version();
  if (auto ok = watch_.replace(source_.context(), rules_.current()); !ok) return Error(ok.error());
  return batch;
}

}  // namespace iovm::cli
