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

Status print_events(analyze::EventWalk& events, analyze::EventListing& listing, TextOutput& out) {
  // What a trace says about itself is known with its first events.
  auto more = events.read();
  listing.begin(events.context(), out.text());
  while (more && *more) {
    while (const analyze::ListedEvent* listed = events.next()) {
      listing.append(*listed, out.text());
      if (auto written = out.flush_if_full(); !written) return written;
      if (out.closed()) break;
    }
    // A live pipe's events are not kept back.
    if (auto written = out.flush(); !written) return written;
    if (out.closed()) break;
    more = events.read();
  }
  listing.end(events.context(), out.text());
  if (auto written = out.flush(); !written) return written;
  if (!more) return std::move(more).error();
  return {};
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
