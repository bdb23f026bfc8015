// SPDX-License-Identifier: Apache-2.0
//
// The rules of `iovm detect`, and how they are taken anew while it runs: SIGHUP reads the files
// again. Rules without a fault are in force from the next batch of events on, and where they stop
// VMs at once; a fault is told, and the old rules stay.
#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "detect/rule_files.h"
#include "detect/rule_watch.h"
#include "trace/source.h"
#include "trace/write_match.h"

namespace iovm::cli {

class LiveRules {
 public:
  static Result<std::unique_ptr<LiveRules>> load(std::vector<std::string> paths, bool built_in);

  std::shared_ptr<const detect::RuleSet> current() const;
  // Whoever stops VMs at the writes of inline rules is told of them, now and whenever there are
  // others, until it is disarmed.
  using Arm = std::function<Status(std::span<const trace::WriteMatch>)>;
  Status arm(Arm arm);
  void disarm();
  std::size_t inline_rules() const;
  // From any thread. Tells on standard error what came of it.
  void reload();
  // The sets that were armed or in force so far, from number `from` on (of which the last 64 are
  // kept). A set is among them before it is armed: no stop is for one that is not.
  std::vector<std::shared_ptr<const detect::RuleSet>> known_since(std::size_t from) const;
  // Counts the reloads that took other rules.
  std::uint64_t version() const { return version_.load(std::memory_order_acquire); }

 private:
  LiveRules() = default;

  std::vector<std::string> paths_;
  bool built_in_ = true;
  Status take(std::shared_ptr<const detect::RuleSet> rules);
  void know(std::shared_ptr<const detect::RuleSet> rules);

  mutable std::mutex lock_;
  Arm arm_;
  std::shared_ptr<const detect::RuleSet> rules_;
  std::deque<std::shared_ptr<const detect::RuleSet>> known_;
  std::size_t forgotten_ = 0;  // of known_, the oldest
  std::atomic<std::uint64_t> version_ = 0;
};

// A source that hands other rules to the watch, between two batches.
class ReloadingSource : public trace::EventSource {
 public:
  ReloadingSource(trace::EventSource& source, const LiveRules& rules, detect::RuleWatch& watch)
      : source_(source), rules_(rules), watch_(watch), version_(rules.version()) {}

  Result<std::span<const trace::Event>> next() override;
  const trace::Context& context() const override { return source_.context(); }

 private:
  trace::EventSource& source_;
  const LiveRules& rules_;
  detect::RuleWatch& watch_;
  std::uint64_t version_;
  std::size_t known_ = 0;
};

}  // namespace iovm::cli
