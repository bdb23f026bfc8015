// SPDX-License-Identifier: Apache-2.0
//
// A trace on its way to somewhere else, watched for alerts: by a detector that looks at each batch
// as it goes by, or by the alerts of a file, whose places in time are looked up. What it gives is
// what the trace gives.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "analyze/perfetto_listing.h"
#include "analyze/report.h"
#include "detect/detector.h"
#include "model/model_data.h"
#include "trace/source.h"

namespace iovm::cli {

class AlertWatch : public trace::EventSource {
 public:
  explicit AlertWatch(trace::EventSource& trace);
  ~AlertWatch() override;

  // Before the first next(), at most one of them.
  Status detect_by(const std::string& model_path, const std::string& trace_path);
  Status take_from(const std::string& alerts_path);

  Result<std::span<const trace::Event>> next() override;
  const trace::Context& context() const override { return trace_.context(); }

  // Complete once next() has given the end; of a file's alerts those of this trace alone.
  const std::vector<analyze::AlertMark>& marks() const { return marks_; }
  // Alerts of the file that are not of this trace, or beyond the limit of a report.
  std::size_t left_out() const;

 private:
  class Sink;
  void look_up(std::span<const trace::Event> events);
  Status detect(std::span<const trace::Event> events);

  trace::EventSource& trace_;
  std::unique_ptr<model::ModelData> data_;
  std::unique_ptr<detect::Learned> learned_;
  std::unique_ptr<Sink> sink_;
  std::unique_ptr<detect::Detector> detector_;
  analyze::Report report_;  // the alerts of a file, in the order of their alarms
  bool sorted_ = false;
  std::size_t next_alert_ = 0;
  std::uint64_t number_ = 0;  // of the next event
  std::vector<analyze::AlertMark> marks_;
};

}  // namespace iovm::cli
