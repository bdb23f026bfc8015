// SPDX-License-Identifier: Apache-2.0
//
// What a model costs by itself: symbols of a recording, tokenized beforehand and kept in memory
// with their streams, are scored and counted. The note is bench/detect.md.
//
//   score_speed TRACE [ORDER [ROUNDS]]
#include <time.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <vector>

#include "model/model.h"
#include "model/poll_fold.h"
#include "model/streams.h"
#include "model/tokenizer.h"
#include "trace/reader.h"
#include "train/calibration.h"
#include "train/counter.h"

namespace {

using namespace iovm;

double cpu_seconds() {
  timespec now = {};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

struct Recording {
  std::vector<train::Token> tokens;
  std::size_t streams = 0;
  std::size_t symbols = 0;
};

Recording read(const char* path) {
  auto reader = trace::TraceReader::open(path);
  if (!reader) {
    std::fprintf(stderr, "%s\n", reader.error().message().c_str());
    std::exit(1);
  }
  Recording out;
  auto first = (*reader)->next();
  bool sequences = (*reader)->context().info.source == "sequences";
  model::Tokenizer tokenizer(sequences ? model::Scheme::addresses : model::Scheme::devices);
  model::StreamMap streams(sequences ? model::StreamKind::process : model::StreamKind::device);
  for (auto batch = first; batch && !batch->empty(); batch = (*reader)->next()) {
    for (const trace::Event& e : *batch) {
      if (e.kind == trace::EventKind::loss) continue;
      model::Token token = tokenizer(e);
      out.tokens.push_back({streams(e, token.device, (*reader)->context()), token.symbol});
    }
  }
  out.streams = streams.streams().size();
  out.symbols = tokenizer.alphabet().size();
  return out;
}

void measure(const char* what, std::size_t symbols, int rounds, const std::function<void()>& work) {
  double best = 1e9;
  for (int i = 0; i < rounds; ++i) {
    double start = cpu_seconds();
    work();
    best = std::min(best, cpu_seconds() - start);
  }
  std::printf("%-10s %7.1f M symbols/s  %5.1f ns/symbol\n", what,
              static_cast<double>(symbols) / best * 1e-6,
              best * 1e9 / static_cast<double>(symbols));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: score_speed TRACE [ORDER [ROUNDS]]\n");
    return 2;
  }
  Recording recording = read(argv[1]);
  model::Options options;
  if (argc > 2) options.order = static_cast<std::uint32_t>(std::atoi(argv[2]));
  int rounds = argc > 3 ? std::atoi(argv[3]) : 9;
  model::Ngrams ngrams;
  measure("count", recording.tokens.size(), rounds, [&] {
    train::Counter counter(options.context());
    std::vector<train::Counter::Context> contexts(recording.streams, train::Counter::kStart);
    for (const train::Token& t : recording.tokens) {
      contexts[t.stream] = counter.add(contexts[t.stream], t.symbol);
    }
    ngrams = counter.ngrams();
  });
  model::Model model(options, ngrams, recording.symbols);
  std::uint64_t sum = 0;
  measure("score", recording.tokens.size(), rounds, [&] {
    std::vector<model::State> states(recording.streams);
    for (const train::Token& t : recording.tokens) {
      model::State& state = states[t.stream];
      sum += model.score(state, t.symbol, state).bits;
    }
  });
  std::printf("%zu symbols, %zu kinds, %zu contexts, %zu transitions (%.1f bits a symbol)\n",
              recording.tokens.size(), recording.symbols, model.nodes() - 1, model.edges(),
              model::to_bits(1) * static_cast<double>(sum) /
                  static_cast<double>(recording.tokens.size()) / rounds);
  return 0;
}
