// SPDX-License-Identifier: Apache-2.0
//
// All the words by which dump, export and cut are told which events are meant: the same options
// with the same meaning everywhere.
#pragma once

#include <optional>
#include <string>

#include "analyze/event_filter.h"
#include "cli/event_options.h"

namespace iovm::cli {

struct EventWords {
  EventOptions which;
  std::optional<std::string> events;
  std::optional<std::string> address;
  std::string direction;
  std::string kind;
  std::optional<std::string> vm;
  std::optional<std::uint64_t> vcpu;
};

void declare(CommandLine& line, EventWords& words, const TimeOptions& times = {});

// The error names the option.
Result<analyze::EventFilter> filter_of(const EventWords& words, const TimeOptions& times = {});

// The options that were given, as they were given: "--process dd --from +1s"; empty without any.
std::string describe(const EventWords& words);

}  // namespace iovm::cli
