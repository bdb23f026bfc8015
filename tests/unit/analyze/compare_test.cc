// SPDX-License-Identifier: Apache-2.0
#include "analyze/compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analyze/events_text.h"
#include "base/format.h"
#include "base/json.h"
#include "base/text.h"

namespace iovm::analyze {
namespace {

using testing::HasSubstr;

// One second of: n polls of the keyboard, and what else is given.
std::string second_of(int polls, const std::string& more) {
  std::string text = "# columns: t_ns vcpu pid comm kind dir addr size value cr3 rip count cpl\n";
  text += "0 0 1 init pio r 0x71 1 0x0 - - 1 0\n";
  for (int i = 1; i <= polls; ++i) {
    text += format("{} 0 1 init pio r 0x64 1 0x1c - - 1 0\n", i * 100000);
  }
  return text + more + "1000000000 0 1 init pio r 0x71 1 0x0 - - 1 0\n";
}

Comparison compared(const std::string& before, const std::string& after,
                    const EventFilter& filter = {}) {
  auto a = EventsTextSource::from_text(before);
  auto b = EventsTextSource::from_text(after);
  EXPECT_TRUE(a && b);
  auto out = compare(**a, **b, filter);
  EXPECT_TRUE(out);
  return *std::move(out);
}

constexpr const char* kFloppy = "999000000 0 266 evil%1b[2J pio w 0x3f5 1 0x8e - - 1 3\n";

TEST(Compare, WhatOnlyOneSideHasIsNewOrGone) {
  Comparison c = compared(second_of(10, ""), second_of(10, kFloppy));
  ASSERT_EQ(c.devices.changes.size(), 1U);
  EXPECT_EQ(c.devices.changes[0].kind, ChangeKind::is_new);
  EXPECT_EQ(c.devices.changes[0].what, "floppy controller");
  EXPECT_EQ(c.devices.same, 2U);
  ASSERT_EQ(c.operations.changes.size(), 1U);
  ASSERT_EQ(c.processes.changes.size(), 1U);
  EXPECT_EQ(c.processes.changes[0].what, "evil\x1b[2J");
  Comparison back = compared(second_of(10, kFloppy), second_of(10, ""));
  ASSERT_EQ(back.devices.changes.size(), 1U);
  EXPECT_EQ(back.devices.changes[0].kind, ChangeKind::gone);
}

TEST(Compare, ARateHasToChangeByMoreThanChance) {
  EXPECT_TRUE(compared(second_of(3, ""), second_of(9, "")).devices.changes.empty());
  EXPECT_TRUE(compared(second_of(300, ""), second_of(400, "")).devices.changes.empty());
  Comparison c = compared(second_of(30, ""), second_of(300, ""));
  ASSERT_EQ(c.devices.changes.size(), 1U);
  EXPECT_EQ(c.devices.changes[0].kind, ChangeKind::more);
  EXPECT_NEAR(c.devices.changes[0].rate_after, 300, 1);
}

TEST(Compare, AFilterIsForBothSides) {
  EventFilter filter;
  filter.device = "keyboard";
  Comparison c = compared(second_of(10, ""), second_of(10, kFloppy), filter);
  EXPECT_TRUE(c.devices.changes.empty());
  EXPECT_EQ(c.after.events, 10U);
  EXPECT_EQ(c.after.duration_ns, 1000000000U);
}

TEST(Compare, TextHasAtMostAHundredColumnsAndNoEscapes) {
  std::string text = render_text(compared(second_of(10, ""), second_of(300, kFloppy)));
  EXPECT_THAT(text, HasSubstr("  new   evil\\x1b[2J"));
  EXPECT_THAT(text, HasSubstr("  more  keyboard controller (8042)"));
  for (std::string_view line : split(text, '\n')) EXPECT_LE(line.size(), 100U);
}

TEST(Compare, JsonHasBothSidesAndTheChanges) {
  auto json = JsonValue::parse(render_json(compared(second_of(10, ""), second_of(10, kFloppy))));
  ASSERT_TRUE(json);
  EXPECT_EQ(json->member("before")->member("events")->whole(), 12U);
  auto change = json->member("devices")->member("changes")->at(0);
  EXPECT_EQ(change.member("change")->text(), "new");
  EXPECT_EQ(change.member("after")->whole(), 1U);
}

}  // namespace
}  // namespace iovm::analyze
