// SPDX-License-Identifier: Apache-2.0
//
// iovm import: each foreign format is an EventSource of its own; here it is only told which one a
// file is, and what comes out goes into a trace. The first events are read before the output is
// made: a file that is wrong leaves no trace behind.
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "analyze/events_text.h"
#include "analyze/file_facts.h"
#include "analyze/sequences.h"
#include "base/fd.h"
#include "base/format.h"
#include "base/text.h"
#include "cli/commands.h"
#include "record/perf_data.h"
#include "record/trace_dat.h"
#include "trace/file_head.h"
#include "trace/writer.h"

namespace iovm::cli {
namespace {

struct ImportOptions {
  std::string path;
  std::string output;
  std::string from = "auto";
};

using SourcePointer = std::unique_ptr<trace::EventSource>;

template <typename Source>
Result<SourcePointer> open_as(const std::string& path) {
  auto source = Source::open(path);
  if (!source) return std::move(source).error();
  return SourcePointer(*std::move(source));
}

struct Format {
  std::string_view name;
  Result<SourcePointer> (*open)(const std::string& path);
};
constexpr std::array kFormats = {
    Format{"perf", open_as<record::PerfDataSource>},
    Format{"trace-cmd", open_as<record::TraceDatSource>},
    Format{"events", open_as<analyze::EventsTextSource>},
    Format{"sequences", open_as<analyze::SequencesSource>},
};

// The beginning of a file, without using it up; nothing for a pipe.
Result<std::optional<std::string>> peek(const std::string& path) {
  auto fd = open_for_reading(path);
  if (!fd) return std::move(fd).error();
  std::string head(4096, '\0');
  ssize_t got = ::pread(fd->get(), head.data(), head.size(), 0);
  if (got < 0 && errno == ESPIPE) return std::optional<std::string>();
  if (got < 0) return errno_error(escape_terminal(path));
  head.resize(static_cast<std::size_t>(got));
  return std::optional<std::string>(std::move(head));
}

// Sequence files are lines of numbers and nothing else; every event line has words in it.
bool is_all_numbers(std::string_view text) {
  constexpr std::string_view kOfNumbers = "0123456789-+ \t\r\n";
  for (std::string_view line : split(text, '\n')) {
    if (!line.starts_with('#') && line.find_first_not_of(kOfNumbers) != std::string_view::npos)
      return false;
  }
  return text.find_first_of("0123456789") != std::string_view::npos;
}

Result<std::string_view> tell_format(const std::string& path) {
  auto head = peek(path);
  if (!head) return std::move(head).error();
  std::string place = escape_terminal(path);
  if (!*head) {
    return usage_error(
        format("{}: a pipe's format cannot be told without using it up; name it with --from (perf, "
               "trace-cmd, events or sequences)",
               place));
  }
  const std::string& text = **head;
  std::string_view what = trace::describe_content(std::as_bytes(std::span(text)));
  if (what == "a perf.data file") return std::string_view("perf");
  if (what == "a trace-cmd trace.dat file") return std::string_view("trace-cmd");
  if (what == "a text file") return std::string_view(is_all_numbers(text) ? "sequences" : "events");
  if (what == "an iovm trace file") {
    return input_error(format(
        "{}: this is an iovm trace already; nothing to import (see iovm info, iovm dump)", place));
  }
  if (what.find("compressed") != std::string_view::npos)
    return input_error(format("{}: this is {}; decompress it first", place, what));
  return input_error(
      format("{}: this is {}; iovm imports perf.data, trace-cmd's trace.dat, events text and "
             "sequence files (see --from)",
             place, what));
}

Result<SourcePointer> open_source(const ImportOptions& options) {
  std::string_view name = options.from;
  if (name == "auto") {
    auto told = tell_format(options.path);
    if (!told) return std::move(told).error();
    name = *told;
  }
  for (const Format& known : kFormats) {
    if (known.name == name) return known.open(options.path);
  }
  return usage_error(format("--from: there is no format \"{}\"", escape_terminal(name)));
}

Status copy(trace::EventSource& source, const ImportOptions& options, trace::WriterStats& stats) {
  std::string from = escape_terminal(options.path);
  auto events = source.next();
  if (!events) return std::move(events).error().in(from);
  auto writer = trace::TraceWriter::create(options.output, source.context().info);
  if (!writer) return std::move(writer).error();
  while (!events->empty()) {
    auto written = (*writer)->write(source.context(), *events);
    if (!written) return std::move(written).error();
    events = source.next();
    if (!events) break;
  }
  // What was readable before an error is kept, as a whole file.
  auto finished = (*writer)->finish();
  if (!finished) return std::move(finished).error();
  stats = (*writer)->stats();
  if (!events) return std::move(events).error().in(from);
  return {};
}

Result<ExitStatus> run_import(CommandLine& line) {
  ImportOptions options;
  line.positional("FILE", options.path, "the recording to import, or - for standard input");
  line.option("-o,--output", options.output, "TRACE", "the trace to write, or -").required();
  line.choice("--from", options.from, {"auto", "perf", "trace-cmd", "events", "sequences"},
              "the format of FILE");
  if (auto end = line.parse()) return *end;

  auto source = open_source(options);
  if (!source) return std::move(source).error();
  trace::WriterStats stats;
  auto copied = copy(**source, options, stats);
  if (!copied) return std::move(copied).error();
  std::string summary = analyze::describe_totals(stats.events, stats.lost) + "\n";
  std::fwrite(summary.data(), 1, summary.size(), stderr);
  return ExitStatus::done;
}

}  // namespace

const Command kImport{"import", "turn a foreign recording into an iovm trace", run_import};

}  // namespace iovm::cli
