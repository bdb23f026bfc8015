// SPDX-License-Identifier: Apache-2.0
//
// Judges the scoring methods on public sequences of system calls: AUC over sessions, the mean score
// of a line being its session's. Figures known from the literature and from independent counting
// stand beside them in bench/detect.md: what differs is a bug in a model.
//
//   detect_sequences TRAIN NORMAL ATTACK     one stream a line, whole numbers
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "model/model.h"
#include "train/counter.h"

namespace {

using namespace iovm;

using Line = std::vector<model::Symbol>;

std::vector<Line> read_lines(const char* path) {
  std::vector<Line> lines;
  std::ifstream in(path);
  for (std::string text; std::getline(in, text);) {
    std::istringstream words(text);
    Line line;
    for (model::Symbol n = 0; words >> n;) line.push_back(n + model::kFirstSymbol);
    if (!line.empty()) lines.push_back(line);
  }
  return lines;
}

double mean_score(const model::Model& model, const Line& line) {
  model::State state;
  double sum = 0;
  std::size_t scored = 0;
  for (model::Symbol symbol : line) {
    bool counts = model.options().method == model::Method::markov ||
                  state.length >= model.options().context();
    sum += model::to_bits(model.score(state, symbol, state).bits);
    if (counts) ++scored;
  }
  return scored == 0 ? 0 : sum / static_cast<double>(scored);
}

// The chance that an attack scores above a normal session; ties count half.
double auc(const std::vector<double>& normal, const std::vector<double>& attack) {
  double wins = 0;
  for (double a : attack) {
    for (double n : normal) wins += a > n ? 1 : a == n ? 0.5 : 0;
  }
  return wins / static_cast<double>(normal.size()) / static_cast<double>(attack.size());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: detect_sequences TRAIN NORMAL ATTACK\n");
    return 2;
  }
  std::vector<Line> train = read_lines(argv[1]);
  std::vector<Line> normal = read_lines(argv[2]);
  std::vector<Line> attack = read_lines(argv[3]);
  model::Symbol symbols = 0;
  for (const Line& line : train) symbols = std::max(symbols, *std::ranges::max_element(line) + 1);
  const std::pair<model::Method, std::uint32_t> kRuns[] = {{model::Method::stide, 6},
                                                           {model::Method::chain, 3},
                                                           {model::Method::markov, 1},
                                                           {model::Method::markov, 5}};
  for (auto [method, order] : kRuns) {
    model::Options options;
    options.method = method;
    options.order = order;
    train::Counter counter(options.context());
    for (const Line& line : train) {
      train::Counter::Context context = train::Counter::kStart;
      for (model::Symbol symbol : line) context = counter.add(context, symbol);
    }
    model::Model model(options, counter.ngrams(), symbols);
    std::vector<double> n, a;
    for (const Line& line : normal) n.push_back(mean_score(model, line));
    for (const Line& line : attack) a.push_back(mean_score(model, line));
    std::printf("%-6s order %u: AUC %.4f (%zu contexts, %zu transitions)\n",
                std::string(name_of(method)).c_str(), order, auc(n, a), model.nodes() - 1,
                model.edges());
  }
  return 0;
}
