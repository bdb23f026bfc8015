// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <tuple>

#include "analyze/event_labels.h"
#include "analyze/event_listing.h"
#include "analyze/report.h"
#include "base/format.h"
#include "base/text.h"
#include "trace/reader.h"

namespace iovm::analyze {
namespace {

// Events shown before and after a step.
constexpr std::uint64_t kBefore = 4;
constexpr std::uint64_t kAfter = 2;
constexpr std::size_t kMostOfEach = 4;

// An event that an alert wants to show.
struct Wanted {
  std::uint64_t number = 0;
  std::size_t alert = 0;
  bool is_step = false;
};

// In the order of events, each once for an alert.
std::vector<Wanted> wanted_events(const Report& report, const std::string& trace_id) {
  std::vector<Wanted> wanted;
  for (std::size_t i = 0; i < report.alerts.size(); ++i) {
    if (report.alerts[i].trace_id != trace_id) continue;
    for (const ReportStep& step : report.alerts[i].steps) {
      std::uint64_t first = step.event - std::min(step.event, kBefore);
      for (std::uint64_t n = first; n <= step.event + kAfter; ++n) {
        wanted.push_back({n, i, n == step.event});
      }
    }
  }
  // Where an event is both a step and a step's neighbour, it is a step.
  std::ranges::sort(wanted, [](const Wanted& a, const Wanted& b) {
    return std::tie(a.number, a.alert, b.is_step) < std::tie(b.number, b.alert, a.is_step);
  });
  auto same = [](const Wanted& a, const Wanted& b) {
    return a.number == b.number && a.alert == b.alert;
  };
  wanted.erase(std::unique(wanted.begin(), wanted.end(), same), wanted.end());
  return wanted;
}

class EvidenceTaker {
 public:
  EvidenceTaker(Report& report, const trace::Context& context)
      : report_(report),
        context_(context),
        labels_(context.info),
        wanted_(wanted_events(report, trace::id_text(context.info.id))) {
    std::string id = trace::id_text(context.info.id);
    for (ReportAlert& alert : report.alerts) {
      if (alert.trace_id == id) alert.evidence.emplace();
    }
  }

  void see(const trace::Event& event, std::uint64_t offset) {
    offset_ = offset;
    if (number_ == 0) start_ = event.time;
    EventLabel label = labels_.see(context_, event);
    if (event.kind == trace::EventKind::loss) losses_.push_back({number_, trace::loss_of(event)});
    for (; next_ < wanted_.size() && wanted_[next_].number == number_; ++next_) {
      show(wanted_[next_], event, label);
    }
    ++number_;
  }

  void finish() {
    std::string id = trace::id_text(context_.info.id);
    for (ReportAlert& alert : report_.alerts) {
      if (alert.trace_id != id) continue;
      alert.evidence->start = start_;
      count_losses(alert);
    }
  }

 private:
  struct LostAt {
    std::uint64_t number = 0;
    trace::Loss loss;
  };

  void show(const Wanted& wanted, const trace::Event& event, const EventLabel& label) {
    Evidence& evidence = *report_.alerts[wanted.alert].evidence;
    std::string text;
    listing_.append({context_, number_, event, label, start_}, text);
    text.pop_back();  // the line's end
    evidence.events.push_back({number_, event.time, std::move(text), wanted.is_step, offset_});
    if (!wanted.is_step) return;
    if (event.knows_process())
      keep(evidence.step_processes, process_text(context_.processes[event.process]));
    if (event.has(trace::Field::cr3)) keep(evidence.address_spaces, event.cr3);
  }

  // Each once, the first few.
  template <typename Value>
  static void keep(std::vector<Value>& values, const Value& value) {
    bool is_new = std::ranges::find(values, value) == values.end();
    if (is_new && values.size() < kMostOfEach) values.push_back(value);
  }

  void count_losses(ReportAlert& alert) {
    std::uint64_t first = alert.first_event - std::min(alert.first_event, Evidence::kNear);
    std::uint64_t last = alert.last_event + Evidence::kNear;
    auto at = std::ranges::lower_bound(losses_, first, {}, &LostAt::number);
    trace::LossTotals lost;
    for (; at != losses_.end() && at->number <= last; ++at) {
      ++alert.evidence->losses_near;
      lost.add(at->loss);
    }
    alert.evidence->lost_near = lost.all();
  }

  Report& report_;
  const trace::Context& context_;
  EventLabels labels_;
  TextListing listing_;
  std::vector<Wanted> wanted_;
  std::size_t next_ = 0;
  std::vector<LostAt> losses_;
  std::uint64_t number_ = 0;
  std::uint64_t offset_ = 0;  // of the event's block
  std::uint64_t start_ = 0;
};

}  // namespace

Status add_evidence(const std::string& path, Report& report) {
  auto reader = trace::TraceReader::open(path);
  if (!reader) return std::move(reader).error();
  auto batch = (*reader)->next();
  EvidenceTaker taker(report, (*reader)->context());
  while (batch && !batch->empty()) {
    for (const trace::Event& event : *batch) taker.see(event, (*reader)->offset());
    batch = (*reader)->next();
  }
  if (!batch) return std::move(batch).error();
  taker.finish();
  return {};
}

}  // namespace iovm::analyze
