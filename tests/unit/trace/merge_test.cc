// SPDX-License-Identifier: Apache-2.0
#include "trace/merged_source.h"
#include "unit/trace/trace_test.h"

namespace iovm::trace {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class MergeTest : public testing::Test {
 protected:
  static Context recording(std::uint8_t id, std::int64_t utc, const std::string& vm,
                           const std::string& host = "h") {
    Context context;
    context.info.id = {id};
    context.info.host = host;
    context.info.source = "bpf";
    context.info.utc_offset_ns = utc;
    context.vms = {{vm, "", "qemu", 7, 1, 0}};
    GuestProcess process;
    process.comm = "init";
    process.pid = 1;
    context.processes = {process};
    return context;
  }
  static std::vector<Event> at(std::initializer_list<std::uint64_t> times) {
    std::vector<Event> events;
    for (std::uint64_t time : times) {
      events.push_back({.time = time, .address = 0x80});
      events.back().process = 0;
    }
    return events;
  }
  // The times and VMs of the merged trace, or the error.
  void merge(std::vector<VectorSource> sources, ClockRule rule = ClockRule::same) {
    std::vector<EventSource*> pointers;
    for (VectorSource& source : sources) pointers.push_back(&source);
    std::vector<std::string> names = {"a", "b", "c"};
    auto merged = MergedSource::open(pointers, std::span(names).first(sources.size()), rule);
    error_ = merged ? "" : merged.error().message();
    if (!merged) return;
    warning_ = merged->warning();
    for (;;) {
      auto batch = merged->next();
      ASSERT_TRUE(batch);
      if (batch->empty()) break;
      for (const Event& event : *batch) {
        events_.push_back(event);
        times_.push_back(event.time);
        vms_.push_back(event.vm);
      }
    }
    context_ = merged->context();
  }

  std::string error_;
  std::string warning_;
  std::vector<Event> events_;
  std::vector<std::uint64_t> times_;
  std::vector<int> vms_;
  Context context_;
};

TEST_F(MergeTest, TheEarliestEventComesFirst) {
  merge({{recording(1, 5, "web"), at({10, 30, 50}), 2}, {recording(2, 6, "db"), at({20, 40}), 1}});
  EXPECT_THAT(times_, ElementsAre(10, 20, 30, 40, 50));
  EXPECT_THAT(vms_, ElementsAre(0, 1, 0, 1, 0));
  EXPECT_EQ(warning_, "");
  EXPECT_THAT(context_.vms, SizeIs(2));
  EXPECT_THAT(context_.processes, SizeIs(2));  // init of web, init of db
  EXPECT_EQ(context_.processes[1].vm, 1);
}

TEST_F(MergeTest, EqualTimesStandInTheOrderOfTheTraces) {
  merge({{recording(1, 5, "web"), at({10, 10})}, {recording(2, 5, "db"), at({10, 10})}});
  EXPECT_THAT(vms_, ElementsAre(0, 0, 1, 1));
}

TEST_F(MergeTest, NothingIsSortedWithinATrace) {
  merge({{recording(1, 5, "web"), at({10, 9, 30})}, {recording(2, 5, "db"), at({20})}});
  EXPECT_THAT(times_, ElementsAre(10, 9, 20, 30));
}

TEST_F(MergeTest, ALayoutThatOnlyTheSecondTraceHasIsKept) {
  Context second = recording(2, 5, "web");
  second.vms[0].pci = {"QMP", {{.place = 0x18, .vendor = 0x8086, .device = 0x100e}}};
  merge({{recording(1, 5, "web"), at({10})}, {second, at({20})}});
  EXPECT_EQ(context_.vms[0].pci, second.vms[0].pci);
}

TEST_F(MergeTest, OfTwoLayoutsThatOfTheEarlierBeginningCounts) {
  Context early = recording(1, 5, "web"), late = recording(2, 5, "web");
  early.vms[0].pci = {"QMP", {{.place = 0x18, .vendor = 0x8086, .device = 0x100e}}};
  late.vms[0].pci = {"libvirt", {{.place = 0x20, .vendor = 0x8086, .device = 0x100e}}};
  merge({{late, at({20})}, {early, at({10})}});
  EXPECT_EQ(context_.vms[0].pci, early.vms[0].pci);
}

TEST_F(MergeTest, TheSameMachineAndProcessAreOne) {
  merge({{recording(1, 5, "web"), at({10})}, {recording(2, 5, "web"), at({20})}});
  EXPECT_THAT(context_.vms, SizeIs(1));
  EXPECT_THAT(context_.processes, SizeIs(1));
  EXPECT_EQ(events_[1].process, 0U);
}

TEST_F(MergeTest, LossesStayWhereTheyAre) {
  auto events = at({10, 30});
  events.insert(events.begin() + 1, make_loss(20, kAllVms, std::nullopt, {LossCause::ring, 3}));
  merge({{recording(1, 5, "web"), events}, {recording(2, 5, "db"), at({15, 25})}});
  EXPECT_THAT(times_, ElementsAre(10, 15, 20, 25, 30));
  EXPECT_EQ(events_[2].kind, EventKind::loss);
  EXPECT_EQ(events_[2].vm, kAllVms);
  EXPECT_EQ(loss_of(events_[2]).count, 3U);
}

TEST_F(MergeTest, AnotherBootIsRefused) {
  merge({{recording(1, 5, "web"), at({10})}, {recording(2, 90'000'000'000, "db"), at({5})}});
  EXPECT_THAT(error_, HasSubstr("a and b: they are of different boots"));
  EXPECT_THAT(error_, HasSubstr("--clock utc"));
}

TEST_F(MergeTest, AnotherHostIsRefused) {
  merge({{recording(1, 5, "web"), at({10})}, {recording(2, 5, "db", "other"), at({5})}});
  EXPECT_THAT(error_, HasSubstr("hosts h and other"));
}

TEST_F(MergeTest, AnUnknownClockIsRefused) {
  merge({{recording(1, 5, "web"), at({10})}, {recording(2, 0, "db"), at({5})}});
  EXPECT_THAT(error_, HasSubstr("not known"));
  merge({{recording(1, 5, "web"), at({10})}, {recording(2, 0, "db"), at({5})}}, ClockRule::utc);
  EXPECT_THAT(error_, HasSubstr("b: its offset to UTC is not known"));
}

TEST_F(MergeTest, UtcPutsAllOnTheClockOfTheEarliestBoot) {
  merge({{recording(1, 90'000'000'005, "web"), at({10})}, {recording(2, 5, "db"), at({20})}},
        ClockRule::utc);
  EXPECT_THAT(times_, ElementsAre(20, 90'000'000'010));
  EXPECT_EQ(context_.info.utc_offset_ns, 5);
  EXPECT_THAT(warning_, HasSubstr("that of UTC"));
}

TEST_F(MergeTest, OneClockByUtcNeedsNoWarning) {
  merge({{recording(1, 5, "web"), at({10})}, {recording(2, 5, "db"), at({20})}}, ClockRule::utc);
  EXPECT_EQ(warning_, "");
}

TEST_F(MergeTest, ARecordingIsNotMergedWithItself) {
  merge({{recording(1, 5, "web"), at({10})}, {recording(1, 5, "web"), at({10})}});
  EXPECT_THAT(error_, HasSubstr("a and b are the same recording"));
}

TEST_F(MergeTest, ATraceWithoutEventsBringsItsMachines) {
  merge({{recording(1, 5, "web"), {}}, {recording(2, 5, "db"), at({20})}});
  EXPECT_THAT(times_, ElementsAre(20));
  EXPECT_THAT(context_.vms, SizeIs(2));
  EXPECT_EQ(context_.vms[vms_[0]].name, "db");
}

}  // namespace
}  // namespace iovm::trace
