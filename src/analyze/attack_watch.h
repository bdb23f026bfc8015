// SPDX-License-Identifier: Apache-2.0
//
// What became of each attack in one recording, by the alerts of a Detector that looked at it: which
// accesses are the attack's (analyze/attack_truth.h), which alerts hold any of them, how soon the
// first one came, and whether it names who did it. An alert that holds none is a false alarm.
//
// It watches the detector as it scores, and takes the alerts as they are closed; memory is 16 bytes
// an access of an attack.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "analyze/attack_truth.h"
#include "detect/alert_sink.h"
#include "detect/detector.h"

namespace iovm::analyze {

struct AttackOutcome {
  std::string trace;
  std::string name;
  std::string device;          // the key of the one with most of its accesses; empty: no access
  std::uint64_t accesses = 0;  // of the attack
  std::uint64_t alerts = 0;    // that hold any of them
  // Of the first alert: which of its accesses raised it, from 1; 0 if the alert was open before.
  std::uint64_t to_alarm = 0;
  double seconds = 0;  // from its first access to the alarm

  bool found() const { return alerts > 0; }
};

// The alerts of recordings whose attacks are known.
struct AlertTally {
  std::uint64_t attack = 0;  // that hold an access of an attack
  std::uint64_t none = 0;    // that hold none: false alarms
  // Of the former, where both alert and attack have an address space: in all, and those whose most
  // suspicious one is the attack's.
  std::uint64_t spaced = 0;
  std::uint64_t named = 0;

  void add(const AlertTally& other) {
    attack += other.attack;
    none += other.none;
    spaced += other.spaced;
    named += other.named;
  }
};

class AttackWatch : public detect::ScoreWatcher, public detect::AlertSink {
 public:
  // Of the attacks in one recording.
  explicit AttackWatch(std::vector<TruthAttack> attacks);

  // Before the first event: what devices and operations are called by. It must live as long as
  // events come.
  void follow(const model::Tokenizer& tokenizer) { tokenizer_ = &tokenizer; }

  void scored(const detect::Scored& seen) override;
  Status closed(const detect::Alert& alert) override;

  // When the detector is done.
  std::vector<AttackOutcome> outcomes() const;
  const AlertTally& tally() const { return tally_; }
  // Whether the stream has any access of an attack.
  bool attacked(model::StreamIndex stream) const {
    return stream < streams_.size() && streams_[stream];
  }

 private:
  struct Access {
    std::uint64_t number = 0;
    model::DeviceType device;
  };
  struct Watched {
    TruthAttack truth;
    std::vector<Access> accesses;  // in the order of events
    std::uint64_t first_time = 0;
    AttackOutcome outcome;
    std::uint64_t alarm = 0;  // the event of the first alert
  };

  model::DeviceType type_of(const detect::Scored& seen) const;
  bool is_of(const TruthAttack& truth, const detect::Scored& seen) const;
  static bool holds(const detect::Alert& alert, const Watched& attack);
  static void count(const detect::Alert& alert, Watched& attack);

  const model::Tokenizer* tokenizer_ = nullptr;
  std::vector<Watched> attacks_;
  std::vector<bool> streams_;
  AlertTally tally_;
};

}  // namespace iovm::analyze
