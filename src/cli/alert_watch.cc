// SPDX-License-Identifier: Apache-2.0
#include "cli/alert_watch.h"

#include <algorithm>

#include "detect/render.h"
#include "model/model_file.h"

namespace iovm::cli {

// Alerts in the form in which a file would have brought them: one story, whoever tells it.
class AlertWatch::Sink : public detect::AlertSink {
 public:
  explicit Sink(std::vector<analyze::AlertMark>& marks) : marks_(marks) {}
  Status closed(const detect::Alert& alert) override {
    analyze::Report one;
    if (auto added = analyze::add_alert(detect::alert_json(alert), one); !added) return added;
    marks_.push_back({alert.alarm_time, std::move(one.alerts.front())});
    return {};
  }

 private:
  std::vector<analyze::AlertMark>& marks_;
};

AlertWatch::AlertWatch(trace::EventSource& trace) : trace_(trace) {}
AlertWatch::~AlertWatch() = default;

Status AlertWatch::detect_by(const std::string& model_path, const std::string& trace_path) {
  auto data = model::read_model(model_path);
  if (!data) return std::move(data).error();
  data_ = std::make_unique<model::ModelData>(*std::move(data));
  sink_ = std::make_unique<Sink>(marks_);
  learned_ = std::make_unique<detect::Learned>(*data_);
  detector_ = std::make_unique<detect::Detector>(*learned_, trace_path, *sink_);
  return {};
}

Status AlertWatch::take_from(const std::string& alerts_path) {
  return analyze::add_alerts_file(alerts_path, report_);
}

std::size_t AlertWatch::left_out() const {
  return report_.alerts.size() - (detector_ ? 0 : marks_.size()) + report_.left_out;
}

Result<std::span<const trace::Event>> AlertWatch::next() {
  auto events = trace_.next();
  if (!events) return events;
  Status watched;
  if (detector_) watched = detect(*events);
  if (!watched) return std::move(watched).error();
  look_up(*events);
  return events;
}

Status AlertWatch::detect(std::span<const trace::Event> events) {
  if (!events.empty()) return detector_->feed(trace_.context(), events);
  return detector_->finish(trace_.context());
}

void AlertWatch::look_up(std::span<const trace::Event> events) {
  auto& alerts = report_.alerts;
  if (!sorted_) {
    std::stable_sort(alerts.begin(), alerts.end(),
                     [](const auto& a, const auto& b) { return a.alarm_event < b.alarm_event; });
    sorted_ = true;
  }
  std::string id = alerts.empty() ? "" : trace::id_text(trace_.context().info.id);
  for (; next_alert_ < alerts.size(); ++next_alert_) {
    const analyze::ReportAlert& alert = alerts[next_alert_];
    if (alert.trace_id != id) continue;
    if (alert.alarm_event >= number_ + events.size()) break;
    marks_.push_back({events[alert.alarm_event - number_].time, alert});
  }
  number_ += events.size();
}

}  // namespace iovm::cli
