// SPDX-License-Identifier: Apache-2.0
//
// The options by which several commands choose events: --from, --to, --process, --device. One
// place, so that they mean the same everywhere.
#pragma once

#include <optional>
#include <string>

#include "analyze/event_filter.h"
#include "cli/command_line.h"

namespace iovm::cli {

struct EventOptions {
  std::optional<std::string> from;
  std::optional<std::string> to;
  std::optional<std::string> process;
  std::optional<std::string> device;
};

// What the span of time is asked for by: where --to means a format, by other names.
struct TimeOptions {
  std::string from = "--from";
  std::string to = "--to";
};

void declare(CommandLine& line, EventOptions& options, const TimeOptions& times = {});
Result<analyze::EventFilter> event_filter(const EventOptions& options,
                                          const TimeOptions& times = {});

// An option's text, where there is one, parsed into its place; the error names the option.
template <typename Value, typename Parse>
Status parse_into(std::optional<Value>& target, const std::optional<std::string>& text,
                  std::string_view option, Parse parse) {
  if (!text) return {};
  auto value = parse(*text);
  if (!value) return std::move(value).error().in(option);
  target = *value;
  return {};
}

}  // namespace iovm::cli
