// SPDX-License-Identifier: Apache-2.0
//
// What a model costs by itself: symbols of a recording, tokenized beforehand and kept in memory
// with their streams, are counted, learned (counted, and the automaton built) and scored, in turns
// with a plain hash trie (hash_trie.h), which is done when it has counted and must give the same
// bits. Medians of the rounds. The note is bench/detect.md.
//
//   score_speed TRACE [ORDER [ROUNDS]]
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <optional>
#include <vector>

#include "hash_trie.h"
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

double median(std::vector<double> times) {
  std::ranges::sort(times);
  return times[times.size() / 2];
}

// Both in turns, so that what else the machine does meets both.
void compare(const char* what, std::size_t symbols, int rounds, const std::function<void()>& ours,
             const std::function<void()>& plain) {
  std::vector<double> our_times, plain_times, ratios;
  auto timed = [](const std::function<void()>& work) {
    double start = cpu_seconds();
    work();
    return cpu_seconds() - start;
  };
  for (int i = 0; i < rounds; ++i) {
    our_times.push_back(timed(ours));
    plain_times.push_back(timed(plain));
    ratios.push_back(plain_times.back() / our_times.back());
  }
  auto millions = static_cast<double>(symbols) * 1e-6;
  std::printf("%-8s %7.1f M symbols/s, hash trie %6.1f: %.1f times\n", what,
              millions / median(our_times), millions / median(plain_times), median(ratios));
}

// The largest difference between both at one symbol.
double difference(const Recording& recording, const model::Model& model,
                  const bench::HashTrie& trie) {
  double most = 0;
  std::vector<model::State> states(recording.streams);
  std::vector<bench::HashTrie::History> histories(recording.streams);
  for (const train::Token& t : recording.tokens) {
    model::State& state = states[t.stream];
    double bits = model::to_bits(model.score(state, t.symbol, state).bits);
    most = std::max(most, std::abs(bits - trie.score(histories[t.stream], t.symbol)));
  }
  return most;
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
  std::size_t symbols = recording.tokens.size();
  std::optional<model::Model> model;
  std::optional<bench::HashTrie> trie;
  auto count = [&] {
    train::Counter counter(options.context());
    std::vector<train::Counter::Context> contexts(recording.streams, train::Counter::kStart);
    for (const train::Token& t : recording.tokens) {
      contexts[t.stream] = counter.add(contexts[t.stream], t.symbol);
    }
    return counter.ngrams();
  };
  auto count_plainly = [&] {
    trie.emplace(options.order, recording.symbols);
    std::vector<bench::HashTrie::History> histories(recording.streams);
    for (const train::Token& t : recording.tokens) trie->count(histories[t.stream], t.symbol);
  };
  model::Ngrams ngrams;
  compare(
      "count", symbols, rounds, [&] { ngrams = count(); }, count_plainly);
  compare(
      "learn", symbols, rounds, [&] { model.emplace(options, count(), recording.symbols); },
      count_plainly);
  double sum = 0;
  compare(
      "score", symbols, rounds,
      [&] {
        std::uint64_t bits = 0;
        std::vector<model::State> states(recording.streams);
        for (const train::Token& t : recording.tokens) {
          model::State& state = states[t.stream];
          bits += model->score(state, t.symbol, state).bits;
        }
        sum = static_cast<double>(bits) / model::kOneBit;
      },
      [&] {
        std::vector<bench::HashTrie::History> histories(recording.streams);
        double bits = 0;
        for (const train::Token& t : recording.tokens) {
          bits += trie->score(histories[t.stream], t.symbol);
        }
        sum = bits;
      });
  double most = difference(recording, *model, *trie);
  std::printf(
      "%zu symbols, %zu kinds, %zu contexts, %zu transitions, %.3f bits a symbol; "
      "at no symbol do both differ by more than %.6f bits\n",
      symbols, recording.symbols, model->nodes() - 1, model->edges(),
      sum / static_cast<double>(symbols), most);
  return most < 0.001 ? 0 : 1;
}
