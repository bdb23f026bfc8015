// SPDX-License-Identifier: Apache-2.0
//
// What a recording costs on disk, column by column, in bytes an event. bench/trace.md has the
// figures and what stands beside them.
//
//   trace_size [--time-resolution NS] FILE...     events text, or a trace (*.iovm)
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "analyze/events_text.h"
#include "base/text.h"
#include "trace/block_stream.h"
#include "trace/event_columns.h"
#include "trace/reader.h"
#include "trace/sections.h"
#include "trace/writer.h"

namespace {

using namespace iovm;

constexpr std::array<const char*, trace::kSections> kNames = {"dict",  "op",     "t-tab", "t-sym",
                                                              "t-res", "t-bits", "addr",  "value"};
// The same guest in perf.data: 191 bytes an I/O with CR3 and RIP, 9.2 after zstd -19.

struct Sizes {
  std::array<double, trace::kSections> section{};
  double heads = 0;    // of blocks and payloads
  double context = 0;  // blocks, the file's head and the index
  double all = 0;
  double events = 0;
};

Result<std::unique_ptr<trace::EventSource>> open_source(const std::string& path) {
  if (path.ends_with(".iovm")) {
    auto reader = trace::TraceReader::open(path);
    if (!reader) return std::move(reader).error();
    return std::unique_ptr<trace::EventSource>(std::move(*reader));
  }
  auto text = analyze::EventsTextSource::open(path);
  if (!text) return std::move(text).error();
  return std::unique_ptr<trace::EventSource>(std::move(*text));
}

Status copy(trace::EventSource& source, const std::string& to, std::uint64_t resolution) {
  trace::WriterOptions options;
  options.time_resolution_ns = resolution;
  auto writer = trace::TraceWriter::create(to, source.context().info, options);
  if (!writer) return std::move(writer).error();
  for (;;) {
    auto events = source.next();
    if (!events) return std::move(events).error();
    if (events->empty()) return (*writer)->finish();
    if (auto done = (*writer)->write(source.context(), *events); !done) return done;
  }
}

Result<Sizes> measure(const std::string& path) {
  auto stream = trace::BlockStream::open(path);
  if (!stream) return std::move(stream).error();
  Sizes sizes;
  for (;;) {
    auto step = stream->next();
    if (!step) return std::move(step).error();
    if (*step == trace::BlockStream::Step::end) break;
    if (*step == trace::BlockStream::Step::gap) return input_error("the trace is damaged");
    if (stream->head().kind != trace::BlockKind::events) continue;
    sizes.events += stream->head().entries;
    auto payload = stream->payload();
    if (!payload || !*payload) return input_error("the trace is damaged");
    std::span<const std::byte> columns = (**payload).subspan(trace::kColumnsHeadBytes);
    sizes.heads += trace::kBlockHeadBytes + trace::kColumnsHeadBytes + trace::kSectionTableBytes;
    for (std::size_t i = 0; i < trace::kSections; ++i) {
      std::uint32_t stored = 0;
      std::memcpy(&stored, columns.data() + i * 8, sizeof stored);
      sizes.section[i] += stored;
    }
  }
  sizes.all = static_cast<double>(stream->bytes());
  sizes.context = sizes.all - sizes.heads;
  for (double section : sizes.section) sizes.context -= section;
  return sizes;
}

void print(const std::string& path, const Sizes& s) {
  double time = 0;
  for (int i = 2; i <= 5; ++i) time += s.section[static_cast<std::size_t>(i)];
  std::printf("%-6s %8.0f", std::filesystem::path(path).stem().stem().c_str(), s.events);
  for (double section : s.section) std::printf(" %6.3f", section / s.events);
  std::printf(" %6.3f %6.3f | %6.3f %6.3f %6.3f\n", s.heads / s.events, s.context / s.events,
              time / s.events, (s.all - time) / s.events, s.all / s.events);
}

}  // namespace

int main(int count, char** words) {
  std::uint64_t resolution = 1;
  int first = 1;
  if (count > 2 && std::string(words[1]) == "--time-resolution") {
    resolution = std::strtoull(words[2], nullptr, 10);
    first = 3;
  }
  std::printf("bytes an event\n%-6s %8s", "file", "events");
  for (const char* name : kNames) std::printf(" %6s", name);
  std::printf(" %6s %6s | %6s %6s %6s\n", "heads", "other", "time", "rest", "all");
  std::string to =
      std::filesystem::temp_directory_path() / ("trace_size." + std::to_string(::getpid()));
  int status = 0;
  for (int i = first; i < count; ++i) {
    auto source = open_source(words[i]);
    Status copied = source ? copy(**source, to, resolution) : Status(source.error());
    auto sizes = copied ? measure(to) : Result<Sizes>(copied.error());
    if (sizes) print(words[i], *sizes);
    if (!sizes) std::fprintf(stderr, "trace_size: %s\n", sizes.error().message().c_str());
    status |= sizes ? 0 : 3;
  }
  std::filesystem::remove(to);
  return status;
}
