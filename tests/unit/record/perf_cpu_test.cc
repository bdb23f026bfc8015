// SPDX-License-Identifier: Apache-2.0
//
// The real kernel's rings, by a tracepoint that this process can fire as often as it likes: the
// system call getppid. Skipped where tracing is not allowed.
#include "record/perf_cpu.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "base/clock.h"
#include "record/perf_merge.h"
#include "record/perf_records.h"
#include "record/tracefs.h"

namespace iovm::record {
namespace {

std::optional<std::uint32_t> getppid_tracepoint() {
  auto tracefs = Tracefs::find();
  if (!tracefs) return std::nullopt;
  std::ifstream in(tracefs->root() + "/events/syscalls/sys_enter_getppid/id");
  std::uint32_t id = 0;
  return in >> id ? std::optional(id) : std::nullopt;
}

class PerfCpuTest : public testing::Test {
 protected:
  void open(std::size_t ring_bytes) {
    auto id = getppid_tracepoint();
    if (!id) GTEST_SKIP() << "no tracepoint syscalls:sys_enter_getppid that may be read here";
    auto number = static_cast<unsigned>(::sched_getcpu());
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(number, &set);
    ASSERT_EQ(::sched_setaffinity(0, sizeof set, &set), 0);
    std::uint32_t ids[] = {*id};
    auto opened = PerfCpu::open(number, ids, ring_bytes);
    if (!opened) GTEST_SKIP() << opened.error().message();
    ASSERT_TRUE(*opened);
    cpu = std::move(**opened);
    ASSERT_TRUE(cpu->enable());
  }
  static void fire(int times) {
    for (int i = 0; i < times; ++i) ::syscall(SYS_getppid);
  }
  // Takes all records out; those of other processes do not count.
  void drain() {
    PerfMerge merge;
    merge.add(cpu->ring());
    merge.begin_round(~std::uint64_t{0});
    while (auto item = merge.next()) {
      if (item->type == PERF_RECORD_LOST) lost += lost_in(item->body);
      if (item->type != PERF_RECORD_SAMPLE) continue;
      auto sample = read_sample(item->body);
      ASSERT_TRUE(sample);
      EXPECT_GE(sample->time, last_time);
      last_time = sample->time;
      ++(sample->pid == ::getpid() ? own : others);
    }
  }

  std::optional<PerfCpu> cpu;
  std::uint64_t own = 0;
  std::uint64_t others = 0;
  std::uint64_t lost = 0;
  std::uint64_t last_time = 0;
};

TEST_F(PerfCpuTest, EveryHitIsARecordOfThisThreadOnOurClock) {
  ASSERT_NO_FATAL_FAILURE(open(1U << 20));
  if (IsSkipped()) return;
  std::uint64_t before = monotonic_ns();
  fire(1000);
  std::uint64_t after = monotonic_ns();
  cpu->disable();
  drain();
  EXPECT_EQ(own, 1000u);
  EXPECT_EQ(lost, 0u);
  EXPECT_GE(last_time, before);
  EXPECT_LE(last_time, after);
}

TEST_F(PerfCpuTest, WhatATinyRingCannotHoldIsCountedToTheLast) {
  ASSERT_NO_FATAL_FAILURE(open(4096));
  if (IsSkipped()) return;
  fire(5000);
  drain();
  fire(3000);
  cpu->disable();
  drain();
  PerfCpu::Totals totals = cpu->totals();
  if (!totals.lost) GTEST_SKIP() << "this kernel does not count what a ring lost";
  EXPECT_GT(lost, 0u);
  EXPECT_GE(*totals.lost, lost);
  EXPECT_EQ(own + others + *totals.lost, totals.fired);
  EXPECT_GE(totals.fired, 8000u);
}

TEST_F(PerfCpuTest, AFilterKeepsAThreadOut) {
  ASSERT_NO_FATAL_FAILURE(open(1U << 20));
  if (IsSkipped()) return;
  ASSERT_TRUE(cpu->set_filter("common_pid != " + std::to_string(::gettid())));
  fire(100);
  std::thread([] { fire(10); }).join();
  cpu->disable();
  drain();
  EXPECT_EQ(own, 10u);
  EXPECT_LT(cpu->totals().fired, 100u);
}

TEST_F(PerfCpuTest, ItsDescriptorWakesWhenTheRingIsHalfFull) {
  ASSERT_NO_FATAL_FAILURE(open(8192));
  if (IsSkipped()) return;
  pollfd one = {cpu->fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&one, 1, 0), 0);
  fire(150);
  EXPECT_EQ(::poll(&one, 1, 1000), 1);
}

TEST(PerfCpuHost, ACpuThatIsNotThereIsNoError) {
  auto id = getppid_tracepoint();
  if (!id) GTEST_SKIP() << "no tracepoint syscalls:sys_enter_getppid that may be read here";
  std::uint32_t ids[] = {*id};
  auto opened = PerfCpu::open(4000, ids, 4096);
  if (!opened && opened.error().message().find("right") != std::string::npos) {
    GTEST_SKIP() << opened.error().message();
  }
  // A number beyond what the kernel was built for is an error, one that is offline is not.
  EXPECT_TRUE(!opened || !*opened);
}

TEST(PerfCpuHost, RangesOfCpusAreReadAsTheKernelWritesThem) {
  std::string path = testing::TempDir() + "/online";
  std::ofstream(path) << "0-2,5,7-8\n";
  auto cpus = online_cpus(path);
  ASSERT_TRUE(cpus);
  EXPECT_EQ(*cpus, (std::vector<unsigned>{0, 1, 2, 5, 7, 8}));
  std::ofstream(path) << "3-1\n";
  EXPECT_FALSE(online_cpus(path));
  std::ofstream(path) << "0-99999999999\n";
  EXPECT_FALSE(online_cpus(path));
}

TEST(PerfCpuHost, ARingIsAPowerOfTwoOfPages) {
  EXPECT_EQ(ring_bytes_for(1), 4096u);
  EXPECT_EQ(ring_bytes_for(5000), 8192u);
  EXPECT_EQ(ring_bytes_for(8U << 20), 8U << 20);
  EXPECT_EQ(ring_bytes_for(std::uint64_t{1} << 60), std::size_t{1} << 30);
}

}  // namespace
}  // namespace iovm::record
