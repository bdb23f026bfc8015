// SPDX-License-Identifier: Apache-2.0
//
// The way of a trace's events into text, which dump and export share: which events, in which form,
// where to. The whole trace is read even if few events are wanted, since device names and event
// numbers are known only to who has seen it from its start.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "analyze/event_filter.h"
#include "analyze/event_labels.h"
#include "analyze/event_listing.h"
#include "cli/stdout.h"
#include "trace/reader.h"

namespace iovm::cli {

// "text", "jsonl", "csv" or "events".
std::unique_ptr<analyze::EventListing> make_listing(const std::string& format);

class EventPrinting {
 public:
  // `labels`: whether the form or the filter wants to know devices and registers.
  EventPrinting(analyze::EventFilter filter, analyze::EventListing& listing, bool labels,
                std::uint64_t limit, TextOutput& out)
      : matcher_(std::move(filter)),
        listing_(listing),
        needs_labels_(labels),
        left_(limit),
        out_(out) {}

  // The whole trace. What can be read is printed, whatever comes after it.
  Status print(trace::EventSource& trace);

 private:
  // False once enough is printed or nobody reads it any more.
  Result<bool> print(const trace::Context& context, std::span<const trace::Event> events);

  analyze::EventMatcher matcher_;
  analyze::EventListing& listing_;
  bool needs_labels_;
  std::uint64_t left_;
  TextOutput& out_;
  std::optional<analyze::EventLabels> labels_;
  std::uint64_t number_ = 0;
  std::uint64_t start_ = 0;
};

// What was wrong with a trace, once the readable part of it is done with: a note if it was cut
// short, an error if it is damaged. `did`: what became of the rest, "printed".
Status tell_damage(std::string_view command, const trace::TraceReader& reader,
                   const std::string& path, std::string_view did);

}  // namespace iovm::cli
