// SPDX-License-Identifier: Apache-2.0
#include "analyze/event_listing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "analyze/events_text.h"
#include "base/json.h"
#include "base/text.h"

namespace iovm::analyze {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kGuest =
    "# name: web-1\n"
    "# columns: t_ns vcpu pid comm kind dir addr size value cr3 rip count cpl\n"
    "1000000000 0 1 init pio w 0x20 1 0x11 0x1000 0xffffffff81000010 1 0\n"
    "1000001500 0 153 dd pio r 0x1f0 2 0x4241 0xf736000 0xffffffff81000034 256 0\n"
    "1002000000 - -1 - loss - 0x0 - 0x7 - - - -\n"
    "1003000000 1 -1 - fast w 0xfe003000 - - 0x2000 0xffffffff81000042 - -\n"
    "1003000001 1 266 =e\",%1b%80 pio w 0x3f5 1 0x8e 0xf6e0000 0x401000 1 3\n";

// Every event of a text, listed.
template <typename Listing>
std::string list(const std::string& text) {
  auto source = EventsTextSource::from_text(text);
  EXPECT_TRUE(source);
  auto events = (*source)->next();
  EXPECT_TRUE(events);
  const trace::Context& context = (*source)->context();
  EventLabels labels(context.info);
  Listing listing;
  std::string out;
  listing.begin(context, out);
  std::uint64_t number = 0;
  for (const trace::Event& event : *events) {
    EventLabel label = labels.see(context, event);
    listing.append({context, number++, event, label, events->front().time}, out);
  }
  return out;
}

TEST(EventListing, TextIsATable) {
  EXPECT_EQ(
      list<TextListing>(kGuest),
      "event    time s       cpu process    kind rw address    value      device register\n"
      "0        +0.000000    0  init:1      pio  w1 0x20       0x11       pic0 command\n"
      "1        +0.000001    0  dd:153      pio  r2 0x1f0      0x4241 x256 ide0 data\n"
      "2        +0.002000    -  LOST: 7 events (ring)\n"
      "3        +0.003000    1  -           fast w  0xfe003000 -          unassigned address "
      "0xfe003000\n"
      "4        +0.003000    1  =e\",\\x1b\\x80:266 pio w1 0x3f5  0x8e       fdc data FIFO\n");
}

TEST(EventListing, TextHasAtMostAHundredColumns) {
  std::string out = list<TextListing>(
      "18446744073709551615 0 1 init mmio w 0xffffffffffffffff 8 0xffffffffffffffff\n"
      "0 65535 9223372036854775807 "
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa pio r 0x0 1 -\n");
  for (std::string_view line : split(out, '\n')) EXPECT_LE(line.size(), 100U) << line;
}

TEST(EventListing, EveryJsonLineIsJsonWhateverTheGuestIsCalled) {
  std::string out = list<JsonListing>(kGuest);
  std::vector<std::string_view> lines = split(out, '\n');
  ASSERT_EQ(lines.size(), 6U);
  for (std::size_t i = 0; i < 5; ++i) EXPECT_TRUE(JsonValue::parse(lines[i])) << lines[i];
  EXPECT_EQ(lines[1],
            "{\"event\":1,\"time_ns\":1000001500,\"vm\":\"web-1\",\"vcpu\":0,\"kind\":\"pio\","
            "\"direction\":\"read\",\"address\":\"0x1f0\",\"size\":2,\"value\":\"0x4241\","
            "\"count\":256,\"cr3\":\"0xf736000\",\"rip\":\"0xffffffff81000034\",\"cpl\":0,"
            "\"process\":{\"pid\":153,\"comm\":\"dd\",\"confidence\":\"high\","
            "\"how\":\"events file\"},\"device\":\"ide0\","
            "\"register\":\"data (0x1f0)\"}");
  EXPECT_EQ(lines[2],
            "{\"event\":2,\"time_ns\":1002000000,\"vm\":\"web-1\",\"kind\":\"loss\","
            "\"cause\":\"ring\",\"lost\":7}");
}

TEST(EventListing, CsvHasAsManyCellsInEveryLineAndRunsNothing) {
  std::string out = list<CsvListing>(kGuest);
  std::vector<std::string_view> lines = split(out, '\n');
  ASSERT_EQ(lines.size(), 7U);
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(std::count(lines[i].begin(), lines[i].end(), ','), 17) << lines[i];
  }
  EXPECT_EQ(lines[2],
            "1,1000001500,0,0,153,dd,pio,r,0x1f0,2,0x4241,0xf736000,0xffffffff81000034,256,0,ide0,,"
            "data (0x1f0)");
  EXPECT_THAT(std::string(lines[5]), HasSubstr(",\"'=e\"\",\\x1b\\x80\","));
}

TEST(EventListing, NumbersOfASequenceAreNoDevices) {
  trace::TraceInfo info;
  info.source = "sequences";
  EventLabels labels(info);
  trace::Event event;
  event.address = 0x1f0;
  EXPECT_EQ(labels.see({}, event).key, "unassigned");
}

}  // namespace
}  // namespace iovm::analyze
