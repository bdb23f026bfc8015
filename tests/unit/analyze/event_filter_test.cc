// SPDX-License-Identifier: Apache-2.0
#include "analyze/event_filter.h"

#include <gtest/gtest.h>

#include "analyze/events_text.h"

namespace iovm::analyze {
namespace {

using testing::Test;

// Four accesses of two VMs, then a loss of all VMs and one of VM 0's vCPU 1.
class EventFilterTest : public Test {
 protected:
  EventFilterTest() {
    auto source = EventsTextSource::from_text(
        "# vm: 0 web-1 0b7c\n# vm: 1 db-1 -\n"
        "# columns: t_ns vcpu pid comm kind dir addr size value vm\n"
        "1000 0 1 init pio w 0x60 1 0x0 0\n"
        "2000 1 153 dd pio r 0x1f7 1 0x0 0\n"
        "3000 - 153 dd mmio w 0xfee00300 4 0x0 1\n"
        "4000 0 -1 - fast w 0xfe003000 - - 1\n"
        "5000 - -1 - loss - 0x0 - 0x1 *\n"
        "6000 1 -1 - loss - 0x0 - 0x1 0\n");
    EXPECT_TRUE(source);
    auto batch = (*source)->next();
    EXPECT_TRUE(batch);
    events_.assign(batch->begin(), batch->end());
    context_ = (*source)->context();
  }

  // The numbers of the events that pass, as a text: "0 2 4".
  std::string passing(const EventFilter& filter) {
    EventMatcher matcher(filter);
    std::string numbers;
    for (std::size_t i = 0; i < events_.size(); ++i) {
      model::Device device;
      device.type = model::fixed_device(model::Space::port, events_[i].address);
      bool port = events_[i].kind == trace::EventKind::pio;
      auto index = static_cast<model::DeviceIndex>(i);
      if (matcher.matches(context_, i, events_[i], port ? &device : nullptr, index))
        numbers += (numbers.empty() ? "" : " ") + std::to_string(i);
    }
    return numbers;
  }

  trace::Context context_;
  std::vector<trace::Event> events_;
  EventFilter filter_;
};

TEST_F(EventFilterTest, WithoutConditionsEverythingPasses) {
  EXPECT_EQ(passing(filter_), "0 1 2 3 4 5");
}

TEST_F(EventFilterTest, TimesAreFromInclusiveToExclusive) {
  filter_.from = TimePoint{false, 2000};
  filter_.to = TimePoint{false, 4000};
  EXPECT_EQ(passing(filter_), "1 2");
}

TEST_F(EventFilterTest, RelativeTimesCountFromTheFirstEvent) {
  filter_.from = TimePoint{true, 2000};
  EXPECT_EQ(passing(filter_), "2 3 4 5");
}

TEST_F(EventFilterTest, EventNumbersCountEveryEvent) {
  filter_.events = NumberRange{1, 2};
  EXPECT_EQ(passing(filter_), "1 2");
  EventMatcher matcher(filter_);
  EXPECT_FALSE(matcher.is_over(2));
  EXPECT_TRUE(matcher.is_over(3));
}

TEST_F(EventFilterTest, AProcessIsAPidOrANameAndLossesStay) {
  filter_.process = "153";
  EXPECT_EQ(passing(filter_), "1 2 4 5");
  filter_.process = "init";
  EXPECT_EQ(passing(filter_), "0 4 5");
  filter_.process = "-";
  EXPECT_EQ(passing(filter_), "3 4 5");
}

TEST_F(EventFilterTest, ADeviceIsAKeyOrAPartOfItsName) {
  filter_.device = "ide0";
  EXPECT_EQ(passing(filter_), "1 4 5");
  filter_.device = "KEYB";
  EXPECT_EQ(passing(filter_), "0 4 5");
}

TEST_F(EventFilterTest, AnAddressRangeHoldsBothEnds) {
  filter_.address = NumberRange{0x60, 0x1f7};
  EXPECT_EQ(passing(filter_), "0 1 4 5");
}

TEST_F(EventFilterTest, DirectionLeavesLossesIn) {
  filter_.direction = trace::Direction::read;
  EXPECT_EQ(passing(filter_), "1 4 5");
}

TEST_F(EventFilterTest, KindLeavesOutLossesUnlessItIsThem) {
  filter_.kind = trace::EventKind::mmio;
  EXPECT_EQ(passing(filter_), "2");
  filter_.kind = trace::EventKind::loss;
  EXPECT_EQ(passing(filter_), "4 5");
}

TEST_F(EventFilterTest, AVmIsANameAUuidOrANumberAndALossOfAllIsItsToo) {
  filter_.vm = "web-1";
  EXPECT_EQ(passing(filter_), "0 1 4 5");
  filter_.vm = "0b7c";
  EXPECT_EQ(passing(filter_), "0 1 4 5");
  filter_.vm = "1";
  EXPECT_EQ(passing(filter_), "2 3 4");
}

TEST_F(EventFilterTest, AVcpuTakesTheLossesThatMayBeItsOwn) {
  filter_.vcpu = 0;
  EXPECT_EQ(passing(filter_), "0 3 4");
}

TEST(TimePoint, ReadsNanosecondsAndRelativeDurations) {
  EXPECT_EQ(TimePoint::parse("1200345")->at(7), 1200345U);
  EXPECT_EQ(TimePoint::parse("+1.5s")->at(7), 1500000007U);
  EXPECT_FALSE(TimePoint::parse("soon"));
  EXPECT_FALSE(TimePoint::parse("+"));
  EXPECT_FALSE(TimePoint::parse("-5"));
}

TEST(NumberRange, ReadsOneNumberOrTwo) {
  EXPECT_EQ(NumberRange::parse("0x60")->last, 0x60U);
  EXPECT_EQ(NumberRange::parse("0x60-100")->last, 100U);
  EXPECT_FALSE(NumberRange::parse("0x64-0x60"));
  EXPECT_FALSE(NumberRange::parse("-"));
  EXPECT_FALSE(NumberRange::parse("1-2-3"));
}

}  // namespace
}  // namespace iovm::analyze
