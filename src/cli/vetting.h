// SPDX-License-Identifier: Apache-2.0
//
// What may be learned from. An attack must not become normal by being trained on: so a recording is
// looked at while it is read, by the built-in rules and by every model that its counts are to be
// added to. What objects is told; whoever trains leaves the recording out, unless somebody has
// looked at it and says so by name.
//
// Of the rules only those of severity high or critical object, which no normal work matches, and
// not those that a model makes superfluous: what drives devices from user space is for training to
// see.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "detect/detector.h"
#include "detect/rule_watch.h"
#include "model/model_data.h"
#include "trace/source.h"

namespace iovm::cli {

// Who looks at recordings: made once, shared by all of them.
class Judges {
 public:
  static Result<Judges> read(const std::vector<std::string>& models);

 private:
  friend class Vetting;
  struct Judge {
    Judge(std::string p, model::ModelData d)
        : path(std::move(p)), data(std::move(d)), learned(data) {}
    std::string path;
    model::ModelData data;
    detect::Learned learned;
  };

  std::shared_ptr<const detect::RuleSet> rules_;
  std::vector<std::unique_ptr<const Judge>> models_;
};

// Passes the events of one recording on, and looks at them.
class Vetting : public trace::EventSource {
 public:
  // `machine`: the recording is of a machine, so rules mean something.
  Vetting(trace::EventSource& source, const std::string& name, const Judges& judges, bool machine);

  Result<std::span<const trace::Event>> next() override;
  const trace::Context& context() const override { return source_.context(); }

  // At the end of the source: why not to learn from it, "3 alerts by web-1.iovmm". Hostile text is
  // escaped.
  std::optional<std::string> objection() const;

 private:
  class Attacks : public detect::AlertSink {
   public:
    Status closed(const detect::Alert& alert) override;
    std::uint64_t count = 0;
    std::string first;  // its title
  };

  Status look(std::span<const trace::Event> batch);

  trace::EventSource& source_;
  const Judges& judges_;
  Attacks attacks_;
  detect::Nobody nobody_;
  std::optional<detect::RuleRun> rules_;
  std::vector<std::unique_ptr<detect::Detector>> detectors_;  // of each model
};

}  // namespace iovm::cli
