// SPDX-License-Identifier: Apache-2.0
#include "cli/event_options.h"

namespace iovm::cli {

void declare(CommandLine& line, EventOptions& options, const TimeOptions& times) {
  line.option(times.from, options.from, "T", "events from T on: +1.5s after the start, or ns");
  line.option(times.to, options.to, "T", "events before T");
  line.option("--process", options.process, "PID|NAME", "of this guest process; - for unknown");
  line.option("--device", options.device, "NAME",
              "of this device: fdc, 8086:100e, 00:03.0, floppy");
}

Result<analyze::EventFilter> event_filter(const EventOptions& options, const TimeOptions& times) {
  analyze::EventFilter filter;
  for (Status parsed :
       {parse_into(filter.from, options.from, times.from, analyze::TimePoint::parse),
        parse_into(filter.to, options.to, times.to, analyze::TimePoint::parse)}) {
    if (!parsed) return std::move(parsed).error();
  }
  filter.process = options.process;
  filter.device = options.device;
  return filter;
}

}  // namespace iovm::cli
