// SPDX-License-Identifier: Apache-2.0
//
// How well scores tell attacks from normal work: ROC curve, the area below it (AUC), and which
// share of attacks is detected when a given share of normal sessions may raise an alarm. Plain data
// first; text, JSON and the SVG picture are pure functions of it.
//
// Everything is a share of sessions and comes with its 95 % interval: the AUC's is Newcombe's
// (method 5: it does not shrink to nothing when the AUC is 1), the shares' are Wilson's. Equal
// scores count half for the AUC, and never as detected: an alarm is a score above the threshold.
//
// Where it is known which accesses are an attack's (analyze/attack_watch.h), each attack is judged
// by the alerts that hold any of them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "analyze/attack_watch.h"

namespace iovm::analyze {

struct ScoredSession {
  std::string group;  // the device, or what else a stream is about
  double score = 0;
  bool attack = false;
};

// What became of one recording with attacks.
struct AttackRecording {
  std::string trace;
  std::uint64_t events = 0;
  std::uint64_t alerts = 0;
  std::uint64_t alarm_event = 0;  // of the first alert: events from the recording's start
  double alarm_seconds = 0;
};

// What became of the attacks of one name, or on one device.
struct AttackGroup {
  std::string name;
  std::uint64_t attacks = 0;
  std::uint64_t found = 0;
  double accesses_to_alarm = 0;  // medians over those found
  double seconds_to_alarm = 0;
};

struct Interval {
  double low = 0;
  double high = 1;
};

struct RocPoint {
  double false_rate = 0;
  double detected = 0;
};

struct Detected {
  double false_rate = 0;  // the share of normal sessions that may be above the threshold
  double threshold = 0;
  double share = 0;
  Interval interval;
};

// The sessions of one group alone, or of all.
struct Separation {
  std::uint64_t normal = 0;
  std::uint64_t attack = 0;
  std::optional<double> auc;  // without sessions of both kinds there is none
  Interval interval;
};

struct Evaluation {
  Separation all;
  std::vector<RocPoint> roc;  // its corners, from (0,0) to (1,1)
  std::vector<Detected> detected;
  std::map<std::string, Separation> groups;
  std::uint64_t normal_events = 0;
  std::uint64_t normal_alerts = 0;
  std::vector<AttackRecording> attacks;
  // Where the truth is known; else empty.
  std::vector<AttackOutcome> outcomes;
  AlertTally tally;
  std::uint64_t lost = 0;
};

inline constexpr double kFalseRates[] = {0.001, 0.01, 0.05};

// Fills in all that follows from scores.
Evaluation evaluate(const std::vector<ScoredSession>& sessions);

// All attacks together; by name; by device: `key` gives what an attack is counted under.
AttackGroup all_attacks(const std::vector<AttackOutcome>& outcomes);
std::vector<AttackGroup> attack_groups(const std::vector<AttackOutcome>& outcomes,
                                       std::string AttackOutcome::*key);

Separation separation(std::vector<ScoredSession> sessions);
Interval wilson(double share, std::uint64_t n);
Interval auc_interval(double auc, std::uint64_t normal, std::uint64_t attack);

std::string render_text(const Evaluation& evaluation);
std::string render_json(const Evaluation& evaluation);
std::string render_svg(const Evaluation& evaluation);

}  // namespace iovm::analyze
