// SPDX-License-Identifier: Apache-2.0
//
// iovm export: the events of a trace as a file for other tools. The line formats are dump's; what
// export adds is the picture for Perfetto, with alerts, Parquet, and a file to write.
#include <memory>

#include "analyze/parquet.h"
#include "analyze/perfetto_listing.h"
#include "base/format.h"
#include "cli/alert_watch.h"
#include "cli/commands.h"
#include "cli/event_printing.h"
#include "cli/event_words.h"
#include "cli/say.h"
#include "cli/trace_copy.h"

namespace iovm::cli {
namespace {

const TimeOptions kTimes{"--since", "--until"};  // --to is the format

struct ExportOptions {
  std::string path;
  std::string to;
  std::string output = "-";
  EventWords words;
  std::optional<std::string> model;
  std::optional<std::string> alerts;
};

void declare(CommandLine& line, ExportOptions& options) {
  line.positional("TRACE", options.path, "a trace file, or - for standard input");
  line.choice("--to", options.to, {"perfetto", "parquet", "csv", "jsonl", "events"}, "what to make")
      .required();
  line.option("-o,--output", options.output, "FILE", "the file to write; - is standard output");
  line.option("-m,--model", options.model, "MODEL", "mark what this model holds for abnormal");
  line.option("--alerts", options.alerts, "FILE",
              "mark the alerts that iovm detect --json printed");
  declare(line, options.words, kTimes);
}

Status gather_alerts(const ExportOptions& options, AlertWatch& watch) {
  if (options.model) return watch.detect_by(*options.model, options.path);
  if (options.alerts) return watch.take_from(*options.alerts);
  return {};
}

Status check(const ExportOptions& options) {
  if (options.model && options.alerts)
    return usage_error("-m and --alerts: the alerts come from one of them; name one");
  if ((options.model || options.alerts) && options.to != "perfetto") {
    return usage_error(
        format("alerts have no place in {}; use --to perfetto, or iovm detect --json for the "
               "alerts alone",
               options.to));
  }
  if (options.to == "parquet" && options.output == "-")
    return usage_error("--to parquet: Parquet is made as a file; name it with -o");
  if (options.path == "-" && options.alerts == "-")
    return usage_error("standard input cannot be both the trace and the alerts");
  std::vector<std::string> inputs = {options.path};
  for (const auto& input : {options.model, options.alerts})
    if (input) inputs.push_back(*input);
  return check_output(options.output, inputs);
}

void tell_left_out(const AlertWatch& watch) {
  if (watch.left_out() == 0) return;
  Say{"iovm export"}(format("{} alerts are not of this trace and are left out", watch.left_out()));
}

Status write(const ExportOptions& options, analyze::EventWalk& events, const AlertWatch& watch) {
  if (options.to == "parquet") return analyze::write_parquet(events, options.output);
  std::unique_ptr<analyze::EventListing> listing = make_listing(options.to);
  if (options.to == "perfetto") listing = std::make_unique<analyze::PerfettoListing>(watch.marks());
  auto out = TextOutput::open(options.output);
  if (!out) return std::move(out).error();
  return print_events(events, *listing, *out);
}

Result<ExitStatus> run_export(CommandLine& line) {
  ExportOptions options;
  declare(line, options);
  if (auto end = line.parse()) return *end;
  if (auto checked = check(options); !checked) return std::move(checked).error();
  auto filter = filter_of(options.words, kTimes);
  if (!filter) return std::move(filter).error();
  auto reader = trace::TraceReader::open(options.path);
  if (!reader) return std::move(reader).error();
  auto until = UntilStopped::create(**reader);
  if (!until) return std::move(until).error();
  AlertWatch watch(**until);
  if (auto ready = gather_alerts(options, watch); !ready) return std::move(ready).error();
  bool labels = options.to != "events" || filter->device.has_value();
  analyze::EventWalk events(watch, *std::move(filter), labels);
  if (auto written = write(options, events, watch); !written) return std::move(written).error();
  tell_left_out(watch);
  if (auto whole = tell_damage("iovm export", **reader, options.path, "exported"); !whole)
    return std::move(whole).error();
  return ExitStatus::done;
}

}  // namespace

const Command kExport{"export", "write the events of a trace for other tools", run_export};

}  // namespace iovm::cli
