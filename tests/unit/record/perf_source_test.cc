// SPDX-License-Identifier: Apache-2.0
//
// The whole live path on the real kernel, with pretend VMs (pretend_vm.h): what went in must come
// out, or be counted.
#include "record/perf_source.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "base/clock.h"
#include "unit/record/pretend_vm.h"

namespace iovm::record {
namespace {

using trace::Event;
using trace::EventKind;
using trace::Field;

class PerfSourceTest : public testing::Test {
 protected:
  void SetUp() override {
    tracefs = pretend_tracefs(folder.path() + "/tracing");
    if (!tracefs) GTEST_SKIP() << "no right to trace system calls here";
    request.proc.path = folder.path() + "/proc";
    std::filesystem::create_directories(request.proc.path);
    stop.emplace(*StopFlag::create());
  }
  std::unique_ptr<PretendVm> start(const std::string& name) {
    return std::make_unique<PretendVm>(request.proc.path, name);
  }
  void open(std::vector<std::string> vms) {
    request.vms = std::move(vms);
    auto opened = PerfSource::open(request, *tracefs, *stop);
    if (!opened && opened.error().fault() == Fault::host) GTEST_SKIP() << opened.error().message();
    ASSERT_TRUE(opened) << opened.error().message();
    source = std::move(*opened);
  }
  // A ring belongs to a CPU, so its lost records may be anybody's: with a neighbour that makes the
  // same system call, a loss is still counted, but no longer only ours.
  bool has_neighbour() const { return source->stats().foreign > 0; }
  // Reads to the end.
  void drain() {
    for (;;) {
      auto batch = source->next();
      ASSERT_TRUE(batch) << batch.error().message();
      if (batch->empty()) return;
      take(*batch);
    }
  }
  void take(std::span<const Event> batch) {
    for (const Event& event : batch) {
      EXPECT_GE(event.time, last_time);
      last_time = event.time;
      if (event.kind == EventKind::loss) {
        lost.add(loss_of(event));
        loss_places.push_back(events.size());
      } else {
        events.push_back(event);
      }
    }
  }
  std::size_t events_of(std::uint16_t vm) const {
    return static_cast<std::size_t>(
        std::ranges::count_if(events, [&](const Event& e) { return e.vm == vm; }));
  }

  ScratchFolder folder;
  std::optional<Tracefs> tracefs;
  std::optional<StopFlag> stop;
  LiveRequest request;
  std::unique_ptr<PerfSource> source;
  std::vector<Event> events;
  std::vector<std::size_t> loss_places;
  trace::LossTotals lost;
  std::uint64_t last_time = 0;
};

TEST_F(PerfSourceTest, EveryAccessOfAStormComesOutOnceWithItsVmAndVcpu) {
  auto vm = start("web");
  open({"web"});
  if (IsSkipped()) return;
  std::uint64_t before = monotonic_ns();
  vm->storm(50'000);
  stop->stop();
  drain();
  ASSERT_EQ(events.size(), 50'000u);
  EXPECT_EQ(lost.all(), 0u);
  for (std::size_t i = 0; i < events.size(); ++i) {
    ASSERT_EQ(events[i].value, i & 0xffff);
    ASSERT_EQ(events[i].address, 0x61u);
    ASSERT_TRUE(events[i].has(Field::vcpu));
  }
  EXPECT_GT(events.front().time, before);
  EXPECT_LT(last_time, monotonic_ns());
  EXPECT_EQ(source->context().vms.at(0).name, "web");
  EXPECT_EQ(source->stats().events, 50'000u);
}

TEST_F(PerfSourceTest, ATinyRingLosesAndCountsEveryOne) {
  auto vm = start("web");
  vm->stay_on_cpu(0);
  request.buffer = 4096;
  open({"web"});
  if (IsSkipped()) return;
  vm->storm(20'000);
  for (int i = 0; i < 3; ++i) {
    auto batch = source->next_within(std::chrono::milliseconds(300));
    ASSERT_TRUE(batch);
    take(batch->events);
    vm->storm(1000);
  }
  stop->stop();
  drain();
  EXPECT_GE(events.size() + lost.ring, 23'000u);  // never fewer, neighbour or not
  if (has_neighbour()) GTEST_SKIP() << "another process makes the same system call on this host";
  EXPECT_GT(lost.ring, 0u);
  EXPECT_EQ(lost.source, 0u);
  EXPECT_EQ(events.size() + lost.ring, 23'000u);
  EXPECT_EQ(source->stats().lost.ring, lost.ring);
}

TEST_F(PerfSourceTest, ALossStandsWhereTheGapIs) {
  auto vm = start("web");
  vm->stay_on_cpu(0);
  request.buffer = 4096;
  open({"web"});
  if (IsSkipped()) return;
  vm->storm(1000);
  while (events.empty()) {
    auto batch = source->next_within(std::chrono::seconds(1));
    ASSERT_TRUE(batch);
    take(batch->events);
  }
  std::size_t before_gap = events.size();
  vm->storm(10);
  stop->stop();
  drain();
  if (has_neighbour()) GTEST_SKIP() << "another process makes the same system call on this host";
  ASSERT_EQ(loss_places.size(), 1u);
  EXPECT_EQ(loss_places[0], before_gap);
  EXPECT_EQ(events.size(), before_gap + 10);
}

TEST_F(PerfSourceTest, ALossStandsWhereTheGapIsEvenIfTheVcpuHasLeftTheCpu) {
  if (::sysconf(_SC_NPROCESSORS_ONLN) < 2) GTEST_SKIP() << "needs two CPUs";
  auto vm = start("web");
  vm->stay_on_cpu(0);
  request.buffer = 4096;
  open({"web"});
  if (IsSkipped()) return;
  vm->storm(1000);
  vm->stay_on_cpu(1);
  vm->storm(10);  // nothing fires on CPU 0 any more, so no record tells of what was lost there
  while (events.size() < 11) {
    auto batch = source->next_within(std::chrono::seconds(1));
    ASSERT_TRUE(batch);
    take(batch->events);
  }
  stop->stop();
  drain();
  if (has_neighbour()) GTEST_SKIP() << "another process makes the same system call on this host";
  EXPECT_EQ(events.size() + lost.ring, 1010u);
  ASSERT_EQ(loss_places.size(), 1u);
  EXPECT_EQ(loss_places[0], events.size() - 10);
}

TEST_F(PerfSourceTest, AThreadThatComesLaterIsThereFromItsFirstAccess) {
  auto vm = start("web");
  open({"web"});
  if (IsSkipped()) return;
  vm->storm(10);
  vm->storm_of_new_thread(1000);
  stop->stop();
  drain();
  EXPECT_EQ(events.size(), 1010u);
  EXPECT_EQ(lost.all(), 0u);
}

TEST_F(PerfSourceTest, OtherVmsAreLeftOut) {
  auto vm = start("web");
  auto other = start("db");
  open({"web"});
  if (IsSkipped()) return;
  other->storm(500);
  other->storm_of_new_thread(500);
  vm->storm(10);
  stop->stop();
  drain();
  EXPECT_EQ(events.size(), 10u);
  EXPECT_EQ(lost.all(), 0u);
  EXPECT_EQ(source->context().vms.size(), 1u);
}

TEST_F(PerfSourceTest, SeveralVmsShareAStreamByIndex) {
  auto web = start("web");
  auto db = start("db");
  open({"web", std::to_string(db->pid())});
  if (IsSkipped()) return;
  web->storm(100);
  db->storm(300);
  stop->stop();
  drain();
  EXPECT_EQ(events_of(0), 100u);
  EXPECT_EQ(events_of(1), 300u);
  EXPECT_EQ(source->context().vms.at(1).name, "db");
}

TEST_F(PerfSourceTest, TheEndOfItsVmEndsIt) {
  auto vm = start("web");
  open({"web"});
  if (IsSkipped()) return;
  vm->storm(1000);
  vm->end();
  drain();
  EXPECT_EQ(events.size(), 1000u);
  EXPECT_EQ(source->running(), 0u);
  EXPECT_EQ(source->ended(), 1u);
  EXPECT_FALSE(stop->stopped());
}

TEST_F(PerfSourceTest, AVmThatIsWaitedForIsThereFromItsFirstAccess) {
  request.wait = true;
  open({"web"});
  if (IsSkipped()) return;
  EXPECT_TRUE(source->context().vms.empty());
  auto vm = start("web");
  vm->storm(1000);
  auto batch = source->next_within(std::chrono::seconds(5));
  ASSERT_TRUE(batch);
  take(batch->events);
  vm->end();
  drain();
  EXPECT_EQ(events.size(), 1000u);
  ASSERT_EQ(source->context().vms.size(), 1u);
  EXPECT_EQ(source->context().vms[0].name, "web");
}

TEST_F(PerfSourceTest, AVmThatStartsJoinsARecordingOfAll) {
  auto web = start("web");
  open({"all"});
  if (IsSkipped()) return;
  web->storm(10);
  auto db = start("db");
  db->storm(20);
  stop->stop();
  drain();
  EXPECT_EQ(events_of(0), 10u);
  EXPECT_EQ(events_of(1), 20u);
}

TEST_F(PerfSourceTest, TwoRecordsOfAReadAreOneEvent) {
  auto vm = start("web");
  open({"web"});
  if (IsSkipped()) return;
  vm->loads(5000);
  stop->stop();
  drain();
  ASSERT_EQ(events.size(), 5000u);
  for (const Event& event : events) {
    ASSERT_EQ(event.kind, EventKind::mmio);
    ASSERT_TRUE(event.has(Field::value));
    ASSERT_EQ(event.value, 7u);
  }
}

TEST_F(PerfSourceTest, StoppingFromAnotherThreadEndsAQuietSource) {
  auto vm = start("web");
  open({"web"});
  if (IsSkipped()) return;
  std::thread stopper([&] { stop->stop(); });
  drain();
  stopper.join();
  EXPECT_TRUE(events.empty());
}

TEST_F(PerfSourceTest, AnEndedSourceStaysEnded) {
  auto vm = start("web");
  open({"web"});
  if (IsSkipped()) return;
  stop->stop();
  drain();
  auto again = source->next();
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->empty());
}

TEST_F(PerfSourceTest, AVmThatIsNotThereIsAnErrorThatNamesTheOthers) {
  auto vm = start("web");
  request.vms = {"mail"};
  auto opened = PerfSource::open(request, *tracefs, *stop);
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message().find("web"), std::string::npos);
}

}  // namespace
}  // namespace iovm::record
