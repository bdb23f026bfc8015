// SPDX-License-Identifier: Apache-2.0
//
// Recordings of real machines, where they are at hand beside the source tree.
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <set>
#include <string>

#include "model/tokenizer.h"

namespace iovm::model {
namespace {

const std::string kFolder = IOVM_SOURCE_DIR "/../shared/data/io/";

struct Pipe {
  void operator()(std::FILE* file) const { ::pclose(file); }
};

// One line of the events text; false for a header line.
bool parse(const char* line, trace::Event& e) {
  unsigned long long time = 0, address = 0, value = 0, cr3 = 0, rip = 0, count = 0;
  unsigned vcpu = 0, size = 0;
  char kind[8], direction = 0;
  int got = std::sscanf(line, "%llu %u %*s %*s %7s %c %llx %u %llx %llx %llx %llu", &time, &vcpu,
                        kind, &direction, &address, &size, &value, &cr3, &rip, &count);
  if (got != 10) return false;
  e = {};
  e.time = time;
  e.kind = kind[0] == 'p'   ? trace::EventKind::pio
           : kind[0] == 'm' ? trace::EventKind::mmio
                            : trace::EventKind::fast_mmio;
  e.direction = direction == 'w' ? trace::Direction::write : trace::Direction::read;
  e.address = address;
  trace::set_value(e, value);
  trace::set_size(e, static_cast<std::uint8_t>(size));
  trace::set_count(e, static_cast<std::uint32_t>(count));
  trace::set_rip(e, rip);
  trace::set_cr3(e, cr3);
  return true;
}

// b12 is a boot, work, a reboot, work: after a reset the firmware runs without paging again.
TEST(RecordedMachineTest, ARebootedMachineHasTheSymbolsThatItHad) {
  std::string path = kFolder + "b12.events.zst";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is not there";
  std::unique_ptr<std::FILE, Pipe> input(::popen(("zstd -dcf " + path).c_str(), "r"));
  ASSERT_NE(input, nullptr);
  Tokenizer tokenizer;
  std::uint64_t events = 0, after = 0, unseen = 0;
  std::size_t before = 0;
  bool kernel = false;
  char line[4096];
  trace::Event event;
  while (std::fgets(line, sizeof line, input.get()) != nullptr) {
    if (!parse(line, event)) continue;
    ++events;
    if (event.rip > 0xffffffff80000000) kernel = true;
    if (kernel && before == 0 && event.cr3 == 0) before = tokenizer.alphabet().size();
    Token token = tokenizer(event);
    if (before == 0) continue;
    ++after;
    if (token.symbol >= before) ++unseen;
  }
  if (events == 0) GTEST_SKIP() << "zstd is not there";
  ASSERT_GT(after, 10000u);
  RecordProperty("unseen", std::to_string(unseen));
  // What is left belongs to the reboot itself: 118 of 55,825.
  EXPECT_LT(unseen * 1000, 3 * after) << unseen << " of " << after << " events after the reboot";
}

}  // namespace
}  // namespace iovm::model
