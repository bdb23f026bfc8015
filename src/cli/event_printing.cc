// SPDX-License-Identifier: Apache-2.0
#include "cli/event_printing.h"

#include "analyze/events_text.h"
#include "base/format.h"
#include "base/text.h"
#include "cli/damage.h"
#include "cli/say.h"

namespace iovm::cli {
namespace {

// The events text as a listing like the others.
class EventsListing : public analyze::EventListing {
 public:
  void begin(const trace::Context& context, std::string& out) override {
    renderer_.header(context, out);
  }
  void append(const analyze::ListedEvent& listed, std::string& out) override {
    renderer_.append(listed.context, std::span(&listed.event, 1), out);
  }

 private:
  analyze::EventsTextRenderer renderer_;
};

}  // namespace

std::unique_ptr<analyze::EventListing> make_listing(const std::string& format) {
  if (format == "jsonl") return std::make_unique<analyze::JsonListing>();
  if (format == "csv") return std::make_unique<analyze::CsvListing>();
  if (format == "events") return std::make_unique<EventsListing>();
  return std::make_unique<analyze::TextListing>();
}

Status EventPrinting::print(trace::EventSource& trace) {
  // What a trace says about itself is known with its first events.
  auto batch = trace.next();
  labels_.emplace(trace.context().info);
  listing_.begin(trace.context(), out_.text());
  if (batch && !batch->empty()) start_ = batch->front().time;
  while (batch && !batch->empty()) {
    auto more = print(trace.context(), *batch);
    if (!more) return std::move(more).error();
    if (!*more) break;
    batch = trace.next();
  }
  listing_.end(trace.context(), out_.text());
  if (auto written = out_.flush(); !written) return written;
  if (!batch) return std::move(batch).error();
  return {};
}

Result<bool> EventPrinting::print(const trace::Context& context,
                                  std::span<const trace::Event> events) {
  for (const trace::Event& event : events) {
    if (left_ == 0 || matcher_.is_over(number_)) return false;
    analyze::EventLabel label =
        needs_labels_ ? labels_->see(context, event) : analyze::EventLabel();
    if (matcher_.matches(context, number_, event, label.device, label.index)) {
      listing_.append({context, number_, event, label, start_}, out_.text());
      --left_;
      if (auto written = out_.flush_if_full(); !written) return std::move(written).error();
      if (out_.closed()) return false;
    }
    ++number_;
  }
  // A live pipe's events are not kept back.
  if (auto written = out_.flush(); !written) return std::move(written).error();
  return left_ > 0 && !out_.closed();
}

Status tell_damage(std::string_view command, const trace::TraceReader& reader,
                   const std::string& path, std::string_view did) {
  if (reader.ended_early()) {
    Say{command}(format("{}: was cut short; these are its whole blocks", escape_terminal(path)));
  }
  auto damage = damage_error(path, reader.damage(), format("the rest is {}", did));
  return damage ? Status(std::move(*damage)) : Status();
}

}  // namespace iovm::cli
