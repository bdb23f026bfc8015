// SPDX-License-Identifier: Apache-2.0
#include "cli/live_rules.h"

#include <cstdio>
#include <utility>

#include "base/format.h"

namespace iovm::cli {

Result<std::unique_ptr<LiveRules>> LiveRules::load(std::vector<std::string> paths, bool built_in) {
  auto rules = detect::load_rules(paths, built_in);
  if (!rules) return std::move(rules).error();
  std::unique_ptr<LiveRules> out(new LiveRules());
  out->paths_ = std::move(paths);
  out->built_in_ = built_in;
  out->rules_ = *std::move(rules);
  return out;
}

std::shared_ptr<const detect::RuleSet> LiveRules::current() const {
  std::lock_guard guard(lock_);
  return rules_;
}

void LiveRules::reload() {
  auto rules = detect::load_rules(paths_, built_in_);
  std::string line;
  if (rules) {
    line = format("iovm detect: {} rules are in force now\n", (*rules)->rules.size());
    std::lock_guard guard(lock_);
    rules_ = *std::move(rules);
    version_.fetch_add(1, std::memory_order_release);
  } else {
    line = format("iovm detect: {}\niovm detect: the rules stay as they were\n",
                  rules.error().message());
  }
  std::fwrite(line.data(), 1, line.size(), stderr);
}

Result<std::span<const trace::Event>> ReloadingSource::next() {
  auto batch = source_.next();
  if (!batch || version_ == rules_.version()) return batch;
  version_ = rules_.version();
  if (auto ok = watch_.replace(source_.context(), rules_.current()); !ok) return Error(ok.error());
  return batch;
}

}  // namespace iovm::cli
