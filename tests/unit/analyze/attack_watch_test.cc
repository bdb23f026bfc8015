// SPDX-License-Identifier: Apache-2.0
#include "analyze/attack_watch.h"

#include <gtest/gtest.h>

namespace iovm::analyze {
namespace {

constexpr std::uint64_t kAttacker = 0x5000;

// A recording of writes to the floppy controller's FIFO (0x3f5) and to serial port 1 (0x3f8).
class AttackWatchTest : public testing::Test {
 protected:
  // An attack of the events from..to, by the attacker.
  static TruthAttack attack(std::uint64_t from, std::uint64_t to) {
    TruthAttack truth;
    truth.trace = "a.iovm";
    truth.name = "flood";
    truth.first = from;
    truth.last = to;
    truth.cr3 = kAttacker;
    return truth;
  }

  void see(AttackWatch& watch, std::uint64_t port, std::uint64_t cr3, std::uint64_t rip = 0) {
    trace::Event event;
    event.direction = trace::Direction::write;
    event.address = port;
    event.time = number_ * 1'000'000'000;
    trace::set_cr3(event, cr3);
    if (rip != 0) trace::set_rip(event, rip);
    trace::set_size(event, 1);
    model::Token token = tokenizer_(event);
    watch.scored({number_++, event, token, port == 0x3f5 ? 0U : 1U, 0});
  }

  static detect::Alert alert(std::uint64_t first, std::uint64_t alarm, std::uint64_t last,
                             model::PcDevice device, std::uint64_t cr3) {
    detect::Alert out;
    out.first_event = first;
    out.alarm_event = alarm;
    out.alarm_time = alarm * 1'000'000'000;
    out.last_event = last;
    out.stream.device = model::Device{};
    out.stream.device->type = model::pc_device(device);
    out.spaces = {{cr3, 1}};
    return out;
  }

  model::Tokenizer tokenizer_{model::Scheme::devices};
  std::uint64_t number_ = 0;
};

TEST_F(AttackWatchTest, TheFirstAlertThatHoldsAnAccessOfTheAttackTellsHowSoonItWasFound) {
  AttackWatch watch({attack(2, 9)});
  watch.follow(tokenizer_);
  see(watch, 0x3f5, 0x1000);
  see(watch, 0x3f8, 0x1000);
  for (int i = 0; i < 4; ++i) see(watch, 0x3f5, kAttacker | 0x123);
  ASSERT_TRUE(watch.closed(alert(4, 5, 5, model::PcDevice::floppy, kAttacker)));
  ASSERT_TRUE(watch.closed(alert(2, 4, 4, model::PcDevice::floppy, 0x1000)));
  AttackOutcome outcome = watch.outcomes().front();
  EXPECT_EQ(outcome.accesses, 4U);
  EXPECT_EQ(outcome.device, "fdc");
  EXPECT_EQ(outcome.alerts, 2U);
  EXPECT_EQ(outcome.to_alarm, 3U);
  EXPECT_DOUBLE_EQ(outcome.seconds, 2);
  EXPECT_EQ(watch.tally().attack, 2U);
  EXPECT_EQ(watch.tally().named, 1U);
  EXPECT_EQ(watch.tally().spaced, 2U);
  EXPECT_EQ(watch.tally().none, 0U);
  EXPECT_TRUE(watch.attacked(0));
  EXPECT_FALSE(watch.attacked(1));
}

TEST_F(AttackWatchTest, AnAlertOnAnotherDeviceInThatTimeIsAFalseOne) {
  AttackWatch watch({attack(0, 9)});
  watch.follow(tokenizer_);
  see(watch, 0x3f5, kAttacker);
  see(watch, 0x3f8, 0x1000);
  ASSERT_TRUE(watch.closed(alert(0, 1, 1, model::PcDevice::serial1, kAttacker)));
  EXPECT_FALSE(watch.outcomes().front().found());
  EXPECT_EQ(watch.tally().none, 1U);
}

TEST_F(AttackWatchTest, AnAlertThatWasOpenBeforeTheAttackFoundItWithoutOneOfItsAccesses) {
  AttackWatch watch({attack(1, 2)});
  watch.follow(tokenizer_);
  for (int i = 0; i < 3; ++i) see(watch, 0x3f5, kAttacker);
  ASSERT_TRUE(watch.closed(alert(0, 0, 2, model::PcDevice::floppy, kAttacker)));
  EXPECT_EQ(watch.outcomes().front().to_alarm, 0U);
  EXPECT_DOUBLE_EQ(watch.outcomes().front().seconds, 0);
  EXPECT_TRUE(watch.outcomes().front().found());
}

TEST_F(AttackWatchTest, OtherAddressSpacesAndDevicesAreNotTheAttack) {
  TruthAttack on_serial = attack(0, 9);
  on_serial.device = "serial1";
  AttackWatch watch({on_serial});
  watch.follow(tokenizer_);
  see(watch, 0x3f5, kAttacker);
  see(watch, 0x3f8, 0x1000);
  see(watch, 0x3f8, kAttacker);
  EXPECT_EQ(watch.outcomes().front().accesses, 1U);
}

TEST_F(AttackWatchTest, OfAnAttackByAModuleOnlyWhatItsCodeDoes) {
  constexpr std::uint64_t kModule = 0xffffffffc0a1d000;
  TruthAttack by_module = attack(0, 9);
  by_module.code = {kModule, kModule + 0xfff};
  AttackWatch watch({by_module});
  watch.follow(tokenizer_);
  see(watch, 0x3f5, kAttacker, kModule);
  see(watch, 0x3f5, kAttacker, kModule + 0xfff);
  see(watch, 0x3f5, kAttacker, kModule + 0x1000);  // an interrupt in its midst
  see(watch, 0x3f5, kAttacker);
  EXPECT_EQ(watch.outcomes().front().accesses, 2U);
}

}  // namespace
}  // namespace iovm::analyze
