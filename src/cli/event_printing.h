// SPDX-License-Identifier: Apache-2.0
//
// The way of a trace's events into text, which dump and export share: which events, in which form,
// where to.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "analyze/event_listing.h"
#include "analyze/event_walk.h"
#include "cli/stdout.h"
#include "trace/reader.h"

namespace iovm::cli {

// "text", "jsonl", "csv" or "events".
std::unique_ptr<analyze::EventListing> make_listing(const std::string& format);

// Prints them all; what can be read is printed, whatever comes after it.
Status print_events(analyze::EventWalk& events, analyze::EventListing& listing, TextOutput& out);

// What was wrong with a trace, once the readable part of it is done with: a note if it was cut
// short, an error if it is damaged. `did`: what became of the rest, "printed".
Status tell_damage(std::string_view command, const trace::TraceReader& reader,
                   const std::string& path, std::string_view did);

}  // namespace iovm::cli
