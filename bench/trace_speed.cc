// SPDX-License-Identifier: Apache-2.0
//
// How fast traces are written and read, on one core. bench/trace.md has the figures and what bounds
// them.
//
//   trace_speed FILE...            each file's events, five times through memory: medians
//   trace_speed write N FILE...    N events to standard output: the files' over and over, times
//                                  moved on
//   trace_speed read               from standard input; both say how much memory they took
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "analyze/events_text.h"
#include "base/assert.h"
#include "trace/reader.h"
#include "trace/writer.h"

namespace {

using namespace iovm;

struct Recording {
  trace::Context context;
  std::vector<trace::Event> events;
};

// Of this process: what other programs do on the machine is not in it.
std::uint64_t cpu_ns() {
  struct timespec now {};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(now.tv_nsec);
}

void fail(const Error& error) {
  std::fprintf(stderr, "trace_speed: %s\n", error.message().c_str());
  std::exit(static_cast<int>(error.fault()));
}

Recording load(const std::string& path) {
  auto source = analyze::EventsTextSource::open(path);
  if (!source) fail(source.error());
  Recording recording;
  for (;;) {
    auto events = (*source)->next();
    if (!events) fail(events.error());
    if (events->empty()) break;
    recording.events.insert(recording.events.end(), events->begin(), events->end());
  }
  recording.context = (*source)->context();
  return recording;
}

// `count` events: the recording's over and over, each time later, as a live source hands them over.
std::uint64_t write_events(trace::TraceWriter& writer, Recording& recording, std::uint64_t count) {
  constexpr std::size_t kBatch = 4096;
  std::uint64_t left = count;
  std::uint64_t shift = recording.events.back().time - recording.events.front().time + 1000;
  std::uint64_t spent = 0;
  while (left > 0) {
    std::span<const trace::Event> rest = recording.events;
    while (left > 0 && !rest.empty()) {
      std::size_t batch =
          static_cast<std::size_t>(std::min<std::uint64_t>({kBatch, rest.size(), left}));
      std::uint64_t start = cpu_ns();
      auto done = writer.write(recording.context, rest.first(batch));
      spent += cpu_ns() - start;
      if (!done) fail(done.error());
      rest = rest.subspan(batch);
      left -= batch;
    }
    for (trace::Event& event : recording.events) event.time += shift;
  }
  std::uint64_t start = cpu_ns();
  if (auto done = writer.finish(); !done) fail(done.error());
  return spent + cpu_ns() - start;
}

std::uint64_t read_events(const std::string& path, std::uint64_t& spent) {
  std::uint64_t start = cpu_ns();
  auto reader = trace::TraceReader::open(path);
  if (!reader) fail(reader.error());
  std::uint64_t count = 0;
  std::uint64_t sum = 0;
  for (;;) {
    auto events = (*reader)->next();
    if (!events) fail(events.error());
    if (events->empty()) break;
    count += events->size();
    sum += events->back().time;
  }
  spent = cpu_ns() - start;
  IOVM_ASSERT(sum != 1);
  return count;
}

void print_rate(const char* what, double events, std::uint64_t ns) {
  std::printf(" %s %7.1f M/s", what, events * 1e3 / static_cast<double>(ns));
}

void measure(const std::string& path) {
  Recording recording = load(path);
  constexpr std::uint64_t kEvents = 3'000'000;
  constexpr int kRuns = 5;
  UniqueFd memory(::memfd_create("trace", 0));
  std::string place = "/dev/fd/" + std::to_string(memory.get());
  std::vector<std::uint64_t> writes;
  std::vector<std::uint64_t> unchained;
  std::vector<std::uint64_t> reads;
  for (int run = 0; run < 2 * kRuns; ++run) {
    trace::WriterOptions options;
    options.chain = run % 2 == 1;
    auto writer = trace::TraceWriter::create(place, recording.context.info, options);
    if (!writer) fail(writer.error());
    std::uint64_t written = write_events(**writer, recording, kEvents);
    (options.chain ? writes : unchained).push_back(written);
    if (!options.chain) continue;
    std::uint64_t spent = 0;
    IOVM_ASSERT(read_events(place, spent) == kEvents);
    reads.push_back(spent);
  }
  std::sort(writes.begin(), writes.end());
  std::sort(unchained.begin(), unchained.end());
  std::sort(reads.begin(), reads.end());
  std::printf("%s:", path.c_str());
  print_rate("write", kEvents, writes[kRuns / 2]);
  print_rate("(best", kEvents, writes[0]);
  print_rate(") without the chain", kEvents, unchained[kRuns / 2]);
  print_rate("(best", kEvents, unchained[0]);
  print_rate(") read", kEvents, reads[kRuns / 2]);
  print_rate("(best", kEvents, reads[0]);
  std::printf(")\n");
}

void tell_memory(const char* what, std::uint64_t events, std::uint64_t ns) {
  struct rusage use {};
  ::getrusage(RUSAGE_SELF, &use);
  std::fprintf(stderr, "%s %llu events, %.1f M/s, %ld KiB of memory at most\n", what,
               static_cast<unsigned long long>(events),
               static_cast<double>(events) * 1e3 / static_cast<double>(ns), use.ru_maxrss);
}

int write_many(std::uint64_t count, std::vector<std::string> paths) {
  Recording all = load(paths[0]);
  for (std::size_t i = 1; i < paths.size(); ++i) {
    Recording one = load(paths[i]);
    all.events.insert(all.events.end(), one.events.begin(), one.events.end());
  }
  auto writer = trace::TraceWriter::create("-", all.context.info);
  if (!writer) fail(writer.error());
  tell_memory("before writing,", 0, 1);
  std::uint64_t ns = write_events(**writer, all, count);
  tell_memory("wrote", count, ns);
  return 0;
}

int read_all() {
  std::uint64_t ns = 0;
  std::uint64_t count = read_events("-", ns);
  tell_memory("read", count, ns);
  return 0;
}

}  // namespace

int main(int count, char** words) {
  std::vector<std::string> rest(words + 1, words + count);
  if (!rest.empty() && rest[0] == "read") return read_all();
  if (rest.size() >= 3 && rest[0] == "write")
    return write_many(std::strtoull(rest[1].c_str(), nullptr, 10), {rest.begin() + 2, rest.end()});
  for (const std::string& path : rest) measure(path);
  return rest.empty() ? 2 : 0;
}
