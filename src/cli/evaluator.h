// SPDX-License-Identifier: Apache-2.0
//
// Recordings of normal work and of attacks in, one after the other, each through a detector of its
// own; an analyze::Evaluation of them all out. A session is a stream of a recording, scored as
// detect scores it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analyze/attack_truth.h"
#include "analyze/evaluation.h"
#include "detect/learned.h"
#include "model/model_data.h"
#include "trace/context.h"

namespace iovm::cli {

class Evaluator {
 public:
  // `truth`: where the attacks are, of those recordings of which it is known.
  Evaluator(const model::ModelData& data, std::vector<analyze::TruthAttack> truth)
      : data_(data), learned_(data), truth_(std::move(truth)) {}

  Status add_normal(const std::string& path);
  Status add_attack(const std::string& path);

  analyze::Evaluation result() const;
  // Of the first recording that is damaged; the rest of it was looked at.
  const std::optional<Error>& damage() const { return damage_; }
  // An error if the truth is about a recording that was not added.
  Status check_truth() const;
  std::uint64_t events() const { return events_; }
  const trace::LossTotals& lost() const { return lost_; }

 private:
  struct Run;

  Status run(const std::string& path, Run& run);
  std::string group(const std::optional<model::Device>& device) const;

  const model::ModelData& data_;
  detect::Learned learned_;
  std::vector<analyze::TruthAttack> truth_;
  std::vector<std::string> attack_paths_;
  std::vector<analyze::ScoredSession> sessions_;
  std::vector<analyze::AttackRecording> attacks_;
  std::vector<analyze::AttackOutcome> outcomes_;
  analyze::AlertTally tally_;
  std::uint64_t normal_events_ = 0;
  std::uint64_t normal_alerts_ = 0;
  std::uint64_t events_ = 0;
  trace::LossTotals lost_;
  std::optional<Error> damage_;
};

}  // namespace iovm::cli
