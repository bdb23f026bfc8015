// SPDX-License-Identifier: Apache-2.0
//
// The alert of a rule: made at its first hit, from the accesses that were its steps, and followed
// as long as it hits again within kAftermathNs.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "detect/alert.h"
#include "detect/episode.h"
#include "detect/rule.h"
#include "detect/rule_track.h"
#include "trace/context.h"

namespace iovm::detect {

// All of it but whose stream it is.
Alert rule_alert(const Rule& rule, const RuleSet& set, std::span<const Mark> marks,
                 const model::Alphabet& alphabet);
// How many accesses the steps of a rule are.
std::uint64_t accesses_of(const Rule& rule);
// "<first 8 digits of the trace id>-<number of the first event>-<rule>"
std::string rule_alert_id(const Alert& alert);

class RuleEpisode {
 public:
  explicit RuleEpisode(Alert alert);

  Alert& alert() { return alert_; }
  // The rule has hit again, with so many accesses.
  void again(std::uint64_t accesses, std::span<const Mark> marks, std::uint64_t time);
  // Who did the steps so far, into the alert.
  void tell_actors(const trace::Context& context);
  // From then on a hit is a new alert.
  std::uint64_t over_at() const { return alert_.last_time + kAftermathNs; }

 private:
  void count(std::uint32_t process, std::uint64_t cr3);

  Alert alert_;
  Tally<std::uint32_t> processes_;
  Tally<std::uint64_t> spaces_;
};

}  // namespace iovm::detect
