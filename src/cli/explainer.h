// SPDX-License-Identifier: Apache-2.0
//
// Gathers what iovm explain tells: the alerts, either from a detector that runs over the trace here
// or from the lines that iovm detect --json printed; the raw events around them; and for a page the
// whole recording and the files that it all came from.
#pragma once

#include <optional>
#include <string>

#include "analyze/report.h"
#include "cli/event_options.h"

namespace iovm::cli {

struct ExplainOptions {
  std::string path;
  std::optional<std::string> model;
  std::optional<std::string> alert;
  EventOptions which;
  bool json = false;
  std::optional<std::string> page;
  std::optional<std::string> before;
};

// Text is alerts; everything else is taken for a trace, whose reader says what it is instead.
Result<bool> is_alerts(const ExplainOptions& options);

class Explainer {
 public:
  Explainer(const ExplainOptions& options, analyze::EventFilter filter)
      : options_(options), filter_(std::move(filter)) {
    report_.path = options.path;
  }

  Status gather(bool alerts);
  const analyze::Report& report() const { return report_; }
  std::string told() const;

 private:
  Status explain_trace();
  Status detect_in(const std::string& path);
  Status match_in(const std::string& path);
  Status read_alerts();
  void lend(model::ModelData data);
  Status look_into_traces();
  Status look_around();
  Status name_files(bool alerts);
  Status keep_only(const std::string& id);

  const ExplainOptions& options_;
  analyze::EventFilter filter_;
  analyze::Report report_;
};

}  // namespace iovm::cli
