// SPDX-License-Identifier: Apache-2.0
//
// What `iovm detect` does with events, wherever they come from: looks at recordings, any number at
// a time, by a model and by rules, or by rules alone, and tells of them one after the other.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/detect_words.h"
#include "cli/live_rules.h"
#include "cli/on_alert.h"
#include "cli/say.h"
#include "cli/stdout.h"
#include "detect/detector.h"
#include "detect/drift.h"
#include "model/model_data.h"
#include "trace/source.h"

namespace iovm::cli {

inline constexpr Say detect_says{"iovm detect"};

// What all recordings came to.
struct DetectTotals {
  std::uint64_t alerts = 0;
  std::uint64_t lost = 0;
  std::optional<Error> damage;
};

// The model, ready for use.
struct Scoring {
  explicit Scoring(model::ModelData d)
      : data(std::move(d)), learned(data), drift(data.calibration) {}

  model::ModelData data;
  detect::Learned learned;
  detect::Drift drift;
};

class DetectRun {
 public:
  // `scoring` may be null: rules alone.
  DetectRun(const DetectOptions& options, Scoring* scoring, const LiveRules& rules,
            OnAlert& on_alert)
      : options_(options), scoring_(scoring), rules_(rules), on_alert_(on_alert) {}

  Status live(trace::EventSource& source);
  // Those of the options.
  Status traces();

  const DetectTotals& totals() const { return totals_; }
  void warn_of_drift() const;

 private:
  class Printer;
  struct Outcome;

  Outcome look(const std::string& name, trace::EventSource& source, Printer& printer) const;
  Outcome score(const std::string& name, trace::EventSource& source, Printer& printer) const;
  Outcome match(const std::string& name, trace::EventSource& source, Printer& printer) const;
  Outcome look_at(const std::string& path, Printer& printer) const;
  Status tell(const std::string& name, Outcome&& outcome);

  const DetectOptions& options_;
  Scoring* scoring_;
  const LiveRules& rules_;
  OnAlert& on_alert_;
  Stdout out_;
  DetectTotals totals_;
};

}  // namespace iovm::cli
