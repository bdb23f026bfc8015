// SPDX-License-Identifier: Apache-2.0
//
// How many events a second one core trains on and detects in, from a trace file, decoding included;
// and the share of each stage. CPU time, so that other work on the machine counts less.
//
//   detect_speed TRACE [ROUNDS]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <memory>
#include <vector>

#include "detect/detector.h"
#include "detect/rule_files.h"
#include "detect/rule_watch.h"
#include "model/tokenizer.h"
#include "trace/reader.h"
#include "train/trainer.h"

namespace {

using namespace iovm;

double cpu_seconds() {
  timespec now = {};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// Runs it `rounds` times over the trace; the median counts.
void measure(const char* what, const char* path, int rounds,
             const std::function<std::uint64_t(trace::EventSource&)>& work) {
  std::vector<double> times;
  std::uint64_t events = 0;
  for (int i = 0; i < rounds; ++i) {
    double start = cpu_seconds();
    auto reader = trace::TraceReader::open(path);
    if (!reader) {
      std::fprintf(stderr, "%s\n", reader.error().message().c_str());
      std::exit(1);
    }
    events = work(**reader);
    times.push_back(cpu_seconds() - start);
  }
  std::ranges::sort(times);
  double median = times[times.size() / 2];
  std::printf("%-24s %7.2f M events/s  %6.1f ns/event  (%llu events)\n", what,
              static_cast<double>(events) / median * 1e-6,
              median * 1e9 / static_cast<double>(events), static_cast<unsigned long long>(events));
}

std::uint64_t each(trace::EventSource& source,
                   const std::function<void(std::span<const trace::Event>)>& batch_done) {
  std::uint64_t events = 0;
  for (;;) {
    auto batch = source.next();
    if (!batch || batch->empty()) return events;
    events += batch->size();
    batch_done(*batch);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: detect_speed TRACE [ROUNDS]\n");
    return 2;
  }
  const char* path = argv[1];
  int rounds = argc > 2 ? std::atoi(argv[2]) : 9;
  measure("decode", path, rounds,
          [](trace::EventSource& source) { return each(source, [](auto) {}); });
  std::uint64_t sum = 0;
  measure("decode, tokenize", path, rounds, [&](trace::EventSource& source) {
    model::Tokenizer tokenizer;
    return each(source, [&](std::span<const trace::Event> batch) {
      for (const trace::Event& e : batch) {
        if (e.kind != trace::EventKind::loss) sum += tokenizer(e).symbol;
      }
    });
  });
  std::shared_ptr<const detect::RuleSet> rules = *detect::load_rules({}, true);
  measure("decode, tokenize, rules", path, rounds, [&](trace::EventSource& source) {
    detect::Nobody silent;
    detect::RuleRun run(rules, path, silent);
    if (!detect::run(source, run)) std::exit(1);
    return run.events();
  });
  model::ModelData data;
  measure("train, all of it", path, rounds, [&](trace::EventSource& source) {
    train::Trainer trainer({}, {});
    if (!trainer.add(source)) std::exit(1);
    auto training = trainer.finish();
    if (!training) std::exit(1);
    data = std::move(training->data);
    return training->events;
  });
  detect::Learned learned(data);
  measure("detect", path, rounds, [&](trace::EventSource& source) {
    detect::Nobody silent;
    detect::Detector detector(learned, path, silent);
    if (!detect::run(source, detector)) std::exit(1);
    return detector.stats().events;
  });
  measure("detect, rules too", path, rounds, [&](trace::EventSource& source) {
    detect::Nobody silent;
    detect::Detector detector(learned, path, silent);
    detect::RuleWatch watch(rules, path, true, silent);
    detector.watch(watch);
    if (!detect::run(source, detector)) std::exit(1);
    return detector.stats().events;
  });
  return sum == 0 ? 1 : 0;
}
