// SPDX-License-Identifier: Apache-2.0
#include "cli/event_options.h"

namespace iovm::cli {

void declare(CommandLine& line, EventOptions& options) {
  line.option("--from", options.from, "T", "events from T on: +1.5s after the start, or ns");
  line.option("--to", options.to, "T", "events before T");
  line.option("--process", options.process, "PID|NAME", "of this guest process; - for unknown");
  line.option("--device", options.device, "NAME",
              "of this device: fdc, 8086:100e, 00:03.0, floppy");
}

Result<analyze::EventFilter> event_filter(const EventOptions& options) {
  analyze::EventFilter filter;
  for (Status parsed : {parse_into(filter.from, options.from, "--from", analyze::TimePoint::parse),
                        parse_into(filter.to, options.to, "--to", analyze::TimePoint::parse)}) {
    if (!parsed) return std::move(parsed).error();
  }
  filter.process = options.process;
  filter.device = options.device;
  return filter;
}

}  // namespace iovm::cli
