// SPDX-License-Identifier: Apache-2.0
//
// What the text forms of events cost, in CPU time of one thread and from memory: see dump_speed.md.
//   dump_speed EVENTS_FILE [ROUNDS]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "analyze/event_listing.h"
#include "analyze/events_text.h"
#include "analyze/perfetto_listing.h"

namespace {

using namespace iovm;
using namespace iovm::analyze;

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

struct Recording {
  trace::Context context;
  std::vector<trace::Event> events;
};

// Parses the whole file, and keeps the events if there is a place for them; their number, or 0.
std::size_t read(const char* path, Recording* out) {
  auto source = EventsTextSource::open(path);
  std::size_t count = 0;
  while (source) {
    auto batch = (*source)->next();
    if (!batch) return 0;
    if (batch->empty()) break;
    count += batch->size();
    if (out != nullptr) out->events.insert(out->events.end(), batch->begin(), batch->end());
  }
  if (source && out != nullptr) out->context = (*source)->context();
  return count;
}

void report(const char* what, std::size_t events, double seconds) {
  std::printf("%-14s %8.2f M events/s\n", what, static_cast<double>(events) / seconds / 1e6);
}

template <typename Listing>
void time_listing(const char* what, const Recording& recording, Listing listing = {}) {
  double begin = cpu_seconds();
  EventLabels labels(recording.context.info);
  std::string out;
  std::uint64_t number = 0;
  for (const trace::Event& event : recording.events) {
    EventLabel label = labels.see(recording.context, event);
    listing.append({recording.context, number++, event, label, recording.events[0].time}, out);
    if (out.size() > 1U << 16) out.clear();
  }
  report(what, recording.events.size(), cpu_seconds() - begin);
}

void time_renderer(const Recording& recording) {
  double begin = cpu_seconds();
  EventsTextRenderer renderer;
  std::string out;
  std::span<const trace::Event> rest = recording.events;
  while (!rest.empty()) {
    std::size_t count = std::min<std::size_t>(rest.size(), 1024);
    renderer.append(recording.context, rest.first(count), out);
    rest = rest.subspan(count);
    out.clear();
  }
  report("write events", recording.events.size(), cpu_seconds() - begin);
}

}  // namespace

int main(int argc, char** argv) {
  Recording recording;
  if (argc < 2 || read(argv[1], &recording) == 0)
    return std::fprintf(stderr, "dump_speed: name a file of events text\n"), 2;
  int rounds = argc > 2 ? std::atoi(argv[2]) : 3;
  for (int round = 0; round < rounds; ++round) {
    double begin = cpu_seconds();
    std::size_t count = read(argv[1], nullptr);
    report("read events", count, cpu_seconds() - begin);
    time_renderer(recording);
    time_listing<TextListing>("text", recording);
    time_listing<JsonListing>("jsonl", recording);
    time_listing<CsvListing>("csv", recording);
    std::vector<AlertMark> none;
    time_listing("perfetto", recording, PerfettoListing(none));
  }
  return 0;
}
