// SPDX-License-Identifier: Apache-2.0
//
// How much of a recording has a name: the share of its events whose device is known, the share
// whose register is, the size of its alphabet, who did the accesses (by instruction pointer), and
// the most frequent accesses without a name.
//
//   device_names TRACE...
#include <algorithm>
#include <cstdio>
#include <map>
#include <string>

#include "base/result.h"
#include "model/tokenizer.h"
#include "trace/reader.h"

namespace {

using namespace iovm;

constexpr std::size_t kShown = 5;

struct Shares {
  std::uint64_t events = 0;
  std::uint64_t device = 0;
  std::uint64_t named = 0;
  std::uint64_t code[model::kCodeClasses] = {};
  std::map<std::string, std::uint64_t> nameless;
};

double percent(std::uint64_t part, std::uint64_t all) {
  return all == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(all);
}

void count(const model::Tokenizer& tokenizer, model::Token token, Shares& shares) {
  ++shares.events;
  ++shares.code[static_cast<std::size_t>(token.code)];
  if (model::is_unknown(token.symbol)) return;
  const model::Operation& o = tokenizer.alphabet().operation(token.symbol);
  if (o.device.bus != model::Bus::none) ++shares.device;
  bool listed = model::find_register(o.device, o.space, o.reg, o.size).listed();
  if (listed || (o.has(model::Mark::merged) && o.device.bus != model::Bus::none)) {
    ++shares.named;
  } else {
    ++shares.nameless[model::short_name(o)];
  }
}

Status measure(const char* path) {
  auto reader = trace::TraceReader::open(path);
  if (!reader) return std::move(reader).error();
  model::Tokenizer tokenizer;
  Shares shares;
  for (;;) {
    auto batch = (*reader)->next();
    if (!batch) return std::move(batch).error();
    if (batch->empty()) break;
    tokenizer.know((*reader)->context().vms);
    for (const trace::Event& event : *batch) {
      if (event.kind == trace::EventKind::loss) {
        tokenizer.lost(event);
      } else {
        count(tokenizer, tokenizer(event), shares);
      }
    }
  }
  std::printf("%-40s %8llu events, device known %7.3f %%, register known %7.3f %%, alphabet %zu;",
              path, static_cast<unsigned long long>(shares.events),
              percent(shares.device, shares.events), percent(shares.named, shares.events),
              tokenizer.alphabet().size() - model::kFirstSymbol);
  for (int i = 0; i < model::kCodeClasses; ++i) {
    if (shares.code[i] == 0) continue;
    std::printf(" %s %.2f %%", std::string(name_of(static_cast<model::CodeClass>(i))).c_str(),
                percent(shares.code[i], shares.events));
  }
  std::printf("\n");
  std::vector<std::pair<std::uint64_t, std::string>> most;
  for (const auto& [name, times] : shares.nameless) most.emplace_back(times, name);
  std::sort(most.rbegin(), most.rend());
  for (std::size_t i = 0; i < std::min(most.size(), kShown); ++i) {
    std::printf("    %8llu %s\n", static_cast<unsigned long long>(most[i].first),
                most[i].second.c_str());
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: device_names TRACE...\n");
    return 2;
  }
  for (int i = 1; i < argc; ++i) {
    if (auto ok = measure(argv[i]); !ok) {
      std::fprintf(stderr, "%s: %s\n", argv[i], ok.error().message().c_str());
      return 3;
    }
  }
  return 0;
}
