// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "cli/commands.h"
#include "cli/event_printing.h"
#include "cli/event_words.h"

namespace iovm::cli {
namespace {

struct DumpOptions {
  std::string path;
  EventWords words;
  std::string format = "text";
  std::optional<std::uint64_t> limit;
};

void declare(CommandLine& line, DumpOptions& options) {
  line.positional("TRACE", options.path, "a trace file, or - for standard input");
  declare(line, options.words);
  line.choice("--format", options.format, {"text", "jsonl", "csv", "events"},
              "text is the default");
  line.option("--limit", options.limit, "N", "stop after N events");
}

// Event numbers and device names are known only to who has seen the trace from its start. Where
// neither is wanted, the reader may start at the right block.
trace::ReadOptions shortcut(const DumpOptions& options, const analyze::EventFilter& filter) {
  trace::ReadOptions read;
  if (options.format != "events" || filter.device || filter.events) return read;
  if (filter.from && filter.from->relative) return read;
  if (filter.to && filter.to->relative) return read;
  if (filter.from) read.from = filter.from->ns;
  if (filter.to) read.to = filter.to->ns;
  return read;
}

Result<ExitStatus> run_dump(CommandLine& line) {
  DumpOptions options;
  declare(line, options);
  if (auto end = line.parse()) return *end;
  auto filter = filter_of(options.words);
  if (!filter) return std::move(filter).error();
  auto reader = trace::TraceReader::open(options.path, shortcut(options, *filter));
  if (!reader) return std::move(reader).error();
  auto listing = make_listing(options.format);
  bool labels = options.format != "events" || filter->device.has_value();
  Stdout out;
  analyze::EventWalk events(**reader, *std::move(filter), labels,
                            options.limit.value_or(~std::uint64_t{0}));
  if (auto printed = print_events(events, *listing, out); !printed)
    return std::move(printed).error();
  if (auto whole = tell_damage("iovm dump", **reader, options.path, "printed"); !whole)
    return std::move(whole).error();
  return ExitStatus::done;
}

}  // namespace

const Command kDump{"dump", "print the events of a trace", run_dump};

}  // namespace iovm::cli
