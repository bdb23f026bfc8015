// SPDX-License-Identifier: Apache-2.0
#include "analyze/overview.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "analyze/events_text.h"
#include "base/format.h"

namespace iovm::analyze {
namespace {

constexpr const char* kColumns =
    "# columns: t_ns vcpu pid comm kind dir addr size value cr3 rip count cpl\n";

Overview overview_of(const std::string& events, const EventFilter& filter = {}) {
  auto source = EventsTextSource::from_text(kColumns + events);
  EXPECT_TRUE(source);
  auto overview = take_overview(**source, filter);
  EXPECT_TRUE(overview);
  return *std::move(overview);
}

std::uint64_t events_in(const Lane& lane) {
  return std::accumulate(lane.points.begin(), lane.points.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const LanePoint& p) { return sum + p.events; });
}

constexpr const char* kWork =
    "1000000 0 153 dd pio w 0x1f7 1 0xc8 0xf000 0xffffffff81000010 1 0\n"
    "1100000 0 153 dd pio r 0x1f7 1 0x50 0xf000 0xffffffff81000010 1 0\n"
    "1200000 - -1 - loss - 0x0 - 0x7 - - - -\n"
    "1300000 0 266 evil pio w 0x3f5 1 0x8e 0xf000 0x401000 1 3\n"
    "1400000 0 -1 - pio r 0x1f0 2 0x1 0xf000 - 256 -\n";

TEST(Overview, EachDeviceHasALaneOfTime) {
  Overview seen = overview_of(kWork);
  ASSERT_EQ(seen.lanes.size(), 2U);
  EXPECT_EQ(seen.lanes[0].device, "primary IDE channel");
  EXPECT_EQ(seen.lanes[0].reads, 2U);
  EXPECT_EQ(seen.lanes[0].writes, 1U);
  EXPECT_EQ(seen.lanes[0].registers.size(), 3U);
  EXPECT_EQ(seen.lanes[1].device, "floppy controller");
  EXPECT_EQ(seen.lanes[1].from_user_space, 1U);
  EXPECT_EQ(seen.start, 1000000U);
  EXPECT_EQ(seen.end, 1400000U);
  EXPECT_EQ(seen.buckets, 401U);
}

TEST(Overview, KnowsWhatIsNotKnown) {
  Overview seen = overview_of(kWork);
  EXPECT_EQ(seen.events, 4U);
  EXPECT_EQ(seen.without_process, 1U);
  EXPECT_EQ(seen.without_rip, 1U);
  EXPECT_EQ(seen.without_cr3, 0U);
  EXPECT_EQ(seen.strings, 1U);
  EXPECT_EQ(seen.lost.all(), 7U);
  ASSERT_EQ(seen.losses.size(), 1U);
  EXPECT_EQ(seen.losses[0].bucket, 200U);
}

TEST(Overview, ProcessesComeWithTheirDevices) {
  Overview seen = overview_of(kWork);
  ASSERT_EQ(seen.processes.size(), 3U);
  EXPECT_EQ(seen.processes[0].events(), 2U);
  ASSERT_EQ(seen.processes[0].devices.size(), 1U);
  EXPECT_EQ(seen.processes[0].devices[0].lane, 0U);
  EXPECT_EQ(seen.processes[0].devices[0].events, 2U);
}

TEST(Overview, EachProcessHasALaneOnEachDevice) {
  Overview seen = overview_of(kWork);
  ASSERT_EQ(seen.streams.size(), 3U);
  EXPECT_EQ(seen.streams[0].device, "primary IDE channel");
  EXPECT_EQ(seen.streams[0].events(), 2U);
  EXPECT_EQ(seen.streams[0].points.size(), 2U);
  EXPECT_EQ(seen.streams[1].device, "floppy controller");
  EXPECT_NE(seen.streams[1].process, seen.streams[0].process);
  EXPECT_GE(seen.streams[2].process, trace::kFirstUnknown);
}

TEST(StreamLanes, TheBusiestStayHoweverManyCome) {
  StreamLanes lanes;
  std::uint32_t bucket = 0;
  for (std::uint32_t process = 0; process < 5000; ++process) {
    lanes.add(1, 7777, {bucket, 3, 0});
    lanes.add(process % 3, process, {bucket++, 1, 0});
  }
  lanes.add(2, 8888, {bucket, 1, 50});
  std::vector<StreamLane> streams = lanes.take();
  ASSERT_EQ(streams.size(), StreamLanes::kShown + 1);
  EXPECT_EQ(streams[0].process, 8888U) << "surprise goes before work";
  EXPECT_EQ(streams[1].process, 7777U);
  EXPECT_EQ(streams[1].events(), 15000U);
  EXPECT_TRUE(streams.back().others);
  std::uint64_t all = 0;
  for (const StreamLane& stream : streams) {
    for (const LanePoint& point : stream.points) all += point.events;
    EXPECT_TRUE(std::ranges::is_sorted(stream.points, {}, &LanePoint::bucket));
  }
  EXPECT_EQ(all, 20001U);
}

TEST(StreamLanes, TwoBucketsBecomeOne) {
  StreamLanes lanes;
  for (std::uint32_t i = 0; i < 8; ++i) lanes.add(0, 1, {i, 1, static_cast<float>(i)});
  lanes.halve();
  std::vector<StreamLane> streams = lanes.take();
  ASSERT_EQ(streams.size(), 1U);
  ASSERT_EQ(streams[0].points.size(), 4U);
  EXPECT_EQ(streams[0].points[3].events, 2U);
  EXPECT_EQ(streams[0].points[3].surprise, 7);
}

TEST(Overview, AFilterKeepsTheLengthOfTime) {
  EventFilter filter;
  filter.device = "fdc";
  Overview seen = overview_of(kWork, filter);
  ASSERT_EQ(seen.lanes.size(), 1U);
  EXPECT_EQ(seen.events, 1U);
  EXPECT_EQ(seen.start, 1000000U);
  EXPECT_EQ(seen.end, 1400000U);
}

TEST(Overview, LongTimesMakeWideBucketsAndLoseNothing) {
  std::string events;
  for (std::uint64_t i = 0; i < 5000; ++i) {
    events += format("{} 0 1 init pio w 0x20 1 0x11 - - 1 0\n", 1000 + i * i * 1000000);
  }
  Overview seen = overview_of(events);
  EXPECT_LE(seen.buckets, OverviewTaker::kMaxBuckets);
  ASSERT_EQ(seen.lanes.size(), 1U);
  EXPECT_EQ(events_in(seen.lanes[0]), 5000U);
  EXPECT_LT(seen.lanes[0].points.back().bucket, OverviewTaker::kMaxBuckets);
  EXPECT_TRUE(std::ranges::is_sorted(seen.lanes[0].points, {}, &LanePoint::bucket));
}

// Every unassigned page of memory would not do: PCI functions make as many devices as one likes.
TEST(Overview, ManyDevicesShareTheLastLane) {
  trace::Context context;
  context.vms.resize(100);
  model::Tokenizer tokenizer;
  OverviewTaker taker(context, tokenizer, {});
  for (std::uint16_t vm = 0; vm < 100; ++vm) {
    trace::Event event;
    event.time = 1000 + vm;
    event.vm = vm;
    event.address = 0x1f7;
    set_size(event, 1);
    for (int i = 0; i <= vm; ++i) taker.see(event, tokenizer(event));
  }
  Overview seen = taker.finish();
  ASSERT_EQ(seen.lanes.size(), OverviewTaker::kLanes + 1);
  EXPECT_EQ(seen.more_devices, 100 - OverviewTaker::kLanes);
  EXPECT_EQ(seen.lanes.back().device, "88 other devices");
  std::uint64_t all = 0;
  for (const Lane& lane : seen.lanes) all += events_in(lane);
  EXPECT_EQ(all, 5050U);
  EXPECT_EQ(seen.events, 5050U);
}

TEST(Overview, NothingIsAnOverview) {
  Overview seen = overview_of("");
  EXPECT_TRUE(seen.lanes.empty());
  EXPECT_EQ(seen.events, 0U);
}

}  // namespace
}  // namespace iovm::analyze
