// SPDX-License-Identifier: Apache-2.0
//
// iovm cut: a part of a trace, fit to be given away.
#include <cstdio>

#include "analyze/cut_source.h"
#include "analyze/file_facts.h"
#include "cli/commands.h"
#include "cli/event_printing.h"
#include "cli/event_words.h"
#include "cli/trace_copy.h"

namespace iovm::cli {
namespace {

struct CutOptions {
  std::string path;
  std::string output;
  EventWords words;
  std::string redact;
  bool keep_layout = false;
};

void declare(CommandLine& line, CutOptions& options) {
  line.positional("TRACE", options.path, "a trace file, or - for standard input");
  line.option("-o,--output", options.output, "OUT", "the trace to write, or -").required();
  declare(line, options.words);
  line.flag("--keep-layout", options.keep_layout,
            "also every access that tells where PCI devices are");
  line.option("--redact", options.redact, "WORD,...",
              "take out names, values, all-values, code, host, time; or all");
}

Result<analyze::CutWishes> wishes_of(const CutOptions& options) {
  analyze::CutWishes wishes;
  auto filter = filter_of(options.words);
  if (!filter) return std::move(filter).error();
  wishes.filter = *std::move(filter);
  wishes.keep_layout = options.keep_layout;
  if (!options.redact.empty()) {
    auto words = analyze::RedactionWords::parse(options.redact);
    if (!words) return std::move(words).error().in("--redact");
    wishes.redact = *words;
    wishes.redaction_text = options.redact;
  }
  // What was asked for can name what must not be named.
  if (!wishes.redact.any()) wishes.filter_text = describe(options.words);
  return wishes;
}

Result<ExitStatus> run_cut(CommandLine& line) {
  CutOptions options;
  declare(line, options);
  if (auto end = line.parse()) return *end;
  auto wishes = wishes_of(options);
  if (!wishes) return std::move(wishes).error();
  if (auto safe = check_output(options.output, std::span(&options.path, 1)); !safe)
    return std::move(safe).error();
  auto reader = trace::TraceReader::open(options.path);
  if (!reader) return std::move(reader).error();
  analyze::CutSource part(**reader, *std::move(wishes));
  trace::WriterStats stats;
  if (auto copied = copy_trace(part, options.output, stats); !copied)
    return std::move(copied).error();
  std::string summary = analyze::describe_totals(stats.events, stats.lost) + "\n";
  std::fwrite(summary.data(), 1, summary.size(), stderr);
  if (auto whole = tell_damage("iovm cut", **reader, options.path, "cut from"); !whole)
    return std::move(whole).error();
  return ExitStatus::done;
}

}  // namespace

const Command kCut{"cut", "write a part of a trace as a trace, also without names or data",
                   run_cut};

}  // namespace iovm::cli
