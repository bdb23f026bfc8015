// SPDX-License-Identifier: Apache-2.0
//
// What the hard cases stand on: a driver with some chance in what it does, an attack on its device,
// and a fixture that trains as `iovm train` does and looks as `iovm detect` does.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "base/format.h"
#include "detect/detector.h"
#include "detect/drift.h"
#include "trace/source.h"
#include "train/trainer.h"
#include "unit/model/events.h"

namespace iovm {

using detect::Alert;
using Events = std::vector<trace::Event>;

constexpr std::uint64_t kMs = 1'000'000;

// A driver of the floppy controller that seeks, reads, senses and tries again, as it comes; and a
// clock that is read now and then.
class Driver {
 public:
  explicit Driver(TestGuest& guest, unsigned seed) : guest_(guest), random_(seed) {}

  void work(int rounds) {
    for (int i = 0; i < rounds; ++i) {
      switch (random_() % 8) {
        case 0:
          command({0x07, 0}, 0);
          command({0x08}, 2);
          break;
        case 1:
        case 2:
          command({0x0f, 0, random_() % 80}, 0);
          command({0x08}, 2);
          break;
        case 3:
          command({0x4a, 0}, 7);
          break;
        default:
          command({0xe6, 0, random_() % 80, random_() % 2, 1 + random_() % 18, 2, 18, 27, 255}, 7);
      }
      if (random_() % 4 == 0) guest_.out(0x70, 0x0a).in(0x71, 0x26);
      guest_.pause(random_() % 50 * kMs);
    }
  }
  // The controller never says that it is ready for a command: the order of an older driver.
  void other_work(int rounds) {
    for (int i = 0; i < rounds; ++i) {
      guest_.in(0x3f4, 0x80).in(0x3f4, 0x80);
      command({0xc6, 0, random_() % 80, 0, 1, 2, 18, 27, 255}, 7);
      guest_.in(0x3f7, 0).pause(random_() % 50 * kMs);
    }
  }

 private:
  void command(const std::vector<std::uint64_t>& bytes, int results) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      guest_.in(0x3f4, i == 0 ? 0x80 : 0x90);
      if (random_() % 8 == 0) guest_.in(0x3f4, i == 0 ? 0x80 : 0x90);
      guest_.out(0x3f5, bytes[i]);
    }
    for (int i = 0; i < results; ++i) guest_.in(0x3f4, 0xd0).in(0x3f5, 0);
  }

  TestGuest& guest_;
  std::mt19937 random_;
};

// A command that the driver never gives, and bytes without end for it.
inline void venom(TestGuest& guest, int bytes) {
  guest.in(0x3f4, 0x80).out(0x3f5, 0x8e);
  for (int i = 0; i < bytes; ++i) guest.out(0x3f5, 0x41);
}

// A network card at a BAR, found by the firmware and used by its driver.
inline void boot_network(TestGuest& guest, std::uint32_t base) {
  guest.place_device(0x18, 0x100e8086, 0, 0xfffe0000, base);
  guest.config_write(0x18, 4, 7);
}
inline void use_network(TestGuest& guest, std::uint32_t base, int packets) {
  for (int i = 0; i < packets; ++i) {
    guest.store(base + 0x3818, static_cast<std::uint64_t>(i & 0xff)).load(base + 0xc0, 1);
    if (i % 3 == 0) guest.store(base + 0x2818, static_cast<std::uint64_t>(i & 0xff));
  }
}

class HardCase : public testing::Test {
 protected:
  HardCase() {
    context.vms.resize(2);
    context.vms[0].name = "web-1";
    context.vms[1].name = "web-2";
  }

  Status add(train::Trainer& trainer, const Events& events) {
    trace::Context named = context;
    named.info.id[0] = ++recordings;
    named.info.utc_offset_ns = recordings;
    trace::VectorSource source(named, events);
    return trainer.add(source);
  }
  void train(const std::vector<Events>& normal, const model::Options& options = {}) {
    train::Trainer trainer(options, {});
    for (const Events& events : normal) ASSERT_TRUE(add(trainer, events));
    auto training = trainer.finish();
    ASSERT_TRUE(training);
    data = std::move(training->data);
    unlike = std::move(training->unlike);
  }
  static Events normal(unsigned seed, int rounds = 400) {
    TestGuest guest;
    Driver(guest, seed).work(rounds);
    return guest.events;
  }
  // Of three recordings, the last one held out.
  void train_on_driver() { train({normal(1), normal(2), normal(3)}); }

  std::vector<Alert> detect(const Events& events) {
    class Sink : public detect::AlertSink {
     public:
      Status closed(const Alert& alert) override {
        alerts.push_back(alert);
        return {};
      }
      std::vector<Alert> alerts;
    } sink;
    detect::Learned learned(data);
    detect::Detector detector(learned, "test.iovm", sink);
    trace::VectorSource source(context, events);
    EXPECT_TRUE(run(source, detector));
    scores = detector.scores(context);
    return sink.alerts;
  }

  // For the table.
  void figure(std::string_view name, const std::string& outcome) {
    RecordProperty("case", std::string(name));
    RecordProperty("outcome", outcome);
  }
  static std::string count(const std::vector<Alert>& alerts) {
    return alerts.size() == 1 ? "1 alert" : iovm::format("{} alerts", alerts.size());
  }

  trace::Context context;
  model::ModelData data;
  std::vector<train::Unlike> unlike;  // of the recordings trained on
  TestGuest guest;
  std::vector<detect::StreamScore> scores;
  std::uint8_t recordings = 0;
};

}  // namespace iovm
