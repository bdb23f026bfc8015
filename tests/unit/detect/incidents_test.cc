// SPDX-License-Identifier: Apache-2.0
#include "detect/incidents.h"

#include <gtest/gtest.h>

#include <vector>

namespace iovm::detect {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

class IncidentsTest : public testing::Test, public AlertSink {
 protected:
  Status opened(const Alert& alert) override {
    opened_in.push_back(alert.incident);
    return {};
  }
  Status closed(const Alert& alert) override {
    closed_in.push_back(alert.incident);
    return {};
  }

  // Seconds from the recording's start.
  static Alert alert(std::string id, std::uint64_t first, std::uint64_t last,
                     std::uint16_t vm = 0) {
    Alert out;
    out.id = std::move(id);
    out.first_time = first * kSecond;
    out.last_time = last * kSecond;
    out.stream.vm = vm;
    return out;
  }
  void whole(const Alert& a) {
    ASSERT_TRUE(incidents.opened(a));
    ASSERT_TRUE(incidents.closed(a));
  }

  std::vector<std::string> opened_in, closed_in;
  Incidents incidents{*this};
};

TEST_F(IncidentsTest, AlertsOfAVmNoMoreThanAMinuteApartAreOneIncidentNamedAfterTheFirst) {
  whole(alert("a", 1, 2));
  whole(alert("b", 62, 63));
  whole(alert("c", 124, 125));
  EXPECT_EQ(closed_in, (std::vector<std::string>{"a", "a", "c"}));
  EXPECT_EQ(opened_in, closed_in);
  EXPECT_EQ(incidents.count(), 2U);
}

TEST_F(IncidentsTest, AnAlertStaysInTheIncidentItOpenedInHoweverLongItGoesOn) {
  ASSERT_TRUE(incidents.opened(alert("a", 1, 1)));
  whole(alert("b", 100, 100));
  ASSERT_TRUE(incidents.closed(alert("a", 1, 90)));
  EXPECT_EQ(closed_in, (std::vector<std::string>{"b", "a"}));
  EXPECT_EQ(incidents.count(), 2U);
}

TEST_F(IncidentsTest, AMinuteCountsFromTheLastOddStepOfAnyAlert) {
  ASSERT_TRUE(incidents.opened(alert("a", 1, 1)));
  ASSERT_TRUE(incidents.closed(alert("a", 1, 90)));
  whole(alert("b", 149, 149));
  EXPECT_EQ(closed_in, (std::vector<std::string>{"a", "a"}));
}

TEST_F(IncidentsTest, EachVmHasItsOwn) {
  whole(alert("a", 1, 2));
  whole(alert("b", 1, 2, 7));
  whole(alert("c", 3, 4));
  EXPECT_EQ(closed_in, (std::vector<std::string>{"a", "b", "a"}));
}

}  // namespace
}  // namespace iovm::detect
