// SPDX-License-Identifier: Apache-2.0
#include "analyze/census.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "analyze/events_text.h"
#include "analyze/file_facts.h"
#include "base/json.h"

namespace iovm::analyze {
namespace {

using testing::HasSubstr;

TraceFacts facts_of(const std::string& text) {
  auto source = EventsTextSource::from_text(text);
  EXPECT_TRUE(source);
  CensusTaker taker((*source)->context().info);
  for (;;) {
    auto batch = (*source)->next();
    EXPECT_TRUE(batch);
    if (!batch || batch->empty()) break;
    taker.see((*source)->context(), *batch);
  }
  TraceFacts facts;
  facts.path = "guest.iovm";
  facts.context = (*source)->context();
  facts.census = taker.finish();
  return facts;
}

constexpr const char* kGuest =
    "# name: web-1\n"
    "# columns: t_ns vcpu pid comm kind dir addr size value cr3 rip count cpl\n"
    "1000 0 1 init pio w 0x20 1 0x11 - - 1 0\n"
    "2000 0 153 dd\x1b pio r 0x1f7 1 0x50 - - 1 0\n"
    "3000 - -1 - loss - 0x0 - 0x7 - - - -\n"
    "4000 0 153 dd\x1b pio w 0x1f7 1 0xc8 - - 1 3\n"
    "5000 1 -1 - fast w 0xfe003000 - - - - - -\n";

TEST(Census, CountsByKindDeviceProcessAndLoss) {
  Census census = facts_of(kGuest).census;
  EXPECT_EQ(census.events, 4U);
  EXPECT_EQ(census.kinds[0], 3U);
  EXPECT_EQ(census.kinds[2], 1U);
  EXPECT_EQ(census.lost.ring, 7U);
  EXPECT_EQ(census.first_time, 1000U);
  EXPECT_EQ(census.last_time, 5000U);
  ASSERT_EQ(census.devices.size(), 3U);
  EXPECT_EQ(model::device_key(census.devices[0].device.type), "ide0");
  EXPECT_EQ(census.devices[0].reads, 1U);
  EXPECT_EQ(census.devices[0].writes, 1U);
  EXPECT_EQ(census.devices[0].from_user_space, 1U);
  ASSERT_EQ(census.processes.size(), 3U);
  EXPECT_EQ(census.processes[0].events, 2U);
  EXPECT_EQ(census.processes[0].last_time, 4000U);
}

TEST(Timeline, HoldsEveryEventInBoundedSlicesHoweverLongItGets) {
  Timeline line;
  for (std::uint64_t i = 0; i < 1000; ++i) line.add(i * i * 1'000'000);
  line.add(~std::uint64_t{0});
  line.add(0);
  EXPECT_LE(line.slices().size(), Timeline::kMaxSlices);
  EXPECT_EQ(std::accumulate(line.slices().begin(), line.slices().end(), std::uint64_t{0}), 1002U);
}

TEST(TraceFacts, TextIsSafeOnATerminalAndEndsWithTheLoss) {
  std::string text = render_text(facts_of(kGuest));
  EXPECT_THAT(text, HasSubstr("dd\\x1b:153"));
  EXPECT_THAT(text, HasSubstr("primary IDE channel"));
  EXPECT_TRUE(text.ends_with("4 events, 7 lost (ring 7, source 0, damaged 0)\n")) << text;
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

TEST(TraceFacts, JsonHasTheSameNumbers) {
  auto json = JsonValue::parse(render_json(facts_of(kGuest)));
  ASSERT_TRUE(json);
  EXPECT_EQ(json->member("type")->text(), "trace");
  EXPECT_EQ(json->member("events")->whole(), 4U);
  EXPECT_EQ(json->member("lost")->member("ring")->whole(), 7U);
  EXPECT_EQ(json->member("devices")->at(0).member("from_user_space")->whole(), 1U);
  EXPECT_EQ(json->member("processes")->at(0).member("pid")->whole(), 153U);
}

TEST(ModelFacts, TextAndJsonTellTrainingPromiseAndThreshold) {
  ModelFacts facts;
  facts.path = "web.iovmm";
  facts.data.origins.resize(1);
  facts.data.origins[0].events = 1234;
  facts.data.origins[0].lost = 5;
  facts.data.calibration.blocks = 10;
  facts.data.threshold.value = 7 * model::kOneBit / 2;
  facts.data.threshold.expected = 40;
  std::string text = render_text(facts);
  EXPECT_THAT(text, HasSubstr("1 recordings, 1234 events, 5 lost"));
  EXPECT_THAT(text, HasSubstr("NOT supported by so few data: they support at most 40"));
  EXPECT_THAT(text, HasSubstr("3.500 bits"));
  auto json = JsonValue::parse(render_json(facts));
  ASSERT_TRUE(json);
  EXPECT_EQ(json->member("threshold")->member("bits")->number(), 3.5);
  EXPECT_EQ(json->member("threshold")->member("supported")->flag(), false);
}

}  // namespace
}  // namespace iovm::analyze
