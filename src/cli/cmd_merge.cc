// SPDX-License-Identifier: Apache-2.0
//
// iovm merge: traces become one, in the order of time. Times are those of a clock that begins anew
// with every boot, so whether the traces have one clock is asked first (trace/clock_join.h).
#include <cstdio>
#include <memory>

#include "analyze/file_facts.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/event_printing.h"
#include "cli/say.h"
#include "cli/trace_copy.h"
#include "trace/merged_source.h"

namespace iovm::cli {
namespace {

struct MergeOptions {
  std::vector<std::string> paths;
  std::string output;
  std::string clock = "same";
};

trace::ClockRule rule_of(const std::string& word) {
  if (word == "utc") return trace::ClockRule::utc;
  return word == "monotonic" ? trace::ClockRule::monotonic : trace::ClockRule::same;
}

constexpr Say say{"iovm merge"};

// Every damaged trace is told of; the first error is the command's.
Status tell_all_damage(const MergeOptions& options,
                       const std::vector<std::unique_ptr<trace::TraceReader>>& readers) {
  std::optional<Error> first;
  for (std::size_t i = 0; i < readers.size(); ++i) {
    auto told = tell_damage("iovm merge", *readers[i], options.paths[i], "merged");
    if (told) continue;
    if (first) {
      say(told.error().message());
    } else {
      first = std::move(told).error();
    }
  }
  return first ? Status(std::move(*first)) : Status();
}

Result<ExitStatus> run_merge(CommandLine& line) {
  MergeOptions options;
  line.positional("TRACE", options.paths, "trace files; one may be - for standard input");
  line.option("-o,--output", options.output, "OUT", "the trace to write, or -").required();
  line.choice("--clock", options.clock, {"same", "utc", "monotonic"},
              "same refuses traces of different clocks, and is the default");
  if (auto end = line.parse()) return *end;
  if (auto safe = check_output(options.output, options.paths); !safe)
    return std::move(safe).error();

  std::vector<std::unique_ptr<trace::TraceReader>> readers;
  std::vector<trace::EventSource*> sources;
  for (const std::string& path : options.paths) {
    auto reader = trace::TraceReader::open(path);
    if (!reader) return std::move(reader).error();
    sources.push_back(readers.emplace_back(*std::move(reader)).get());
  }
  auto merged = trace::MergedSource::open(sources, options.paths, rule_of(options.clock));
  if (!merged) return std::move(merged).error();
  if (!merged->warning().empty()) say(merged->warning());
  trace::WriterStats stats;
  if (auto copied = copy_trace(*merged, options.output, stats); !copied)
    return std::move(copied).error();
  std::string summary = analyze::describe_totals(stats.events, stats.lost) + "\n";
  std::fwrite(summary.data(), 1, summary.size(), stderr);
  if (auto whole = tell_all_damage(options, readers); !whole) return std::move(whole).error();
  return ExitStatus::done;
}

}  // namespace

const Command kMergeTraces{"merge", "join traces of one host by time", run_merge};

}  // namespace iovm::cli
