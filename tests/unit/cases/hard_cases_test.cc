// SPDX-License-Identifier: Apache-2.0
//
// Attacks that know how they are looked for, and changes that are no attack: each case trains a
// model as `iovm train` does, looks at what came as `iovm detect` does, and records its figure,
// good or poor; scripts/detection-proof makes a table of them (docs/detection.md). What is expected
// below is what was reached: a figure that gets worse fails, one that gets better is written down.
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
namespace {

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
void venom(TestGuest& guest, int bytes) {
  guest.in(0x3f4, 0x80).out(0x3f5, 0x8e);
  for (int i = 0; i < bytes; ++i) guest.out(0x3f5, 0x41);
}

// A network card at a BAR, found by the firmware and used by its driver.
void boot_network(TestGuest& guest, std::uint32_t base) {
  guest.place_device(0x18, 0x100e8086, 0, 0xfffe0000, base);
  guest.config_write(0x18, 4, 7);
}
void use_network(TestGuest& guest, std::uint32_t base, int packets) {
  for (int i = 0; i < packets; ++i) {
    guest.store(base + 0x3818, static_cast<std::uint64_t>(i & 0xff)).load(base + 0xc0, 1);
    if (i % 3 == 0) guest.store(base + 0x2818, static_cast<std::uint64_t>(i & 0xff));
  }
}

// Code: a kernel that reads the clock, and a module that drives the floppy controller, each access
// by an instruction of its own.
struct Code {
  std::uint64_t kernel = 0xffffffff81234560;
  std::uint64_t module = 0xffffffffc0400100;

  Events run(Events events) const {
    for (trace::Event& event : events) {
      std::uint64_t base = event.address < 0x80 ? kernel : module;
      bool write = event.direction == trace::Direction::write;
      trace::set_rip(event, base + event.address % 8 * 16 + (write ? 8 : 0));
      trace::set_cr3(event, 0x1000);
    }
    return events;
  }
};
constexpr std::uint64_t kKernelStep = 0x200000;

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
    data = trainer.finish()->data;
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
    model::Model model = data.model();
    detect::Detector detector(data, model, "test.iovm", sink);
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
  TestGuest guest;
  std::vector<detect::StreamScore> scores;
  std::uint8_t recordings = 0;
};

TEST_F(HardCase, OtherNormalWorkIsNoAlarm) {
  train_on_driver();
  std::size_t alerts = 0;
  for (unsigned seed = 10; seed < 20; ++seed) alerts += detect(normal(seed)).size();
  figure("ten further recordings of normal work", iovm::format("{} false episodes", alerts));
  EXPECT_EQ(alerts, 0u);
}

TEST_F(HardCase, OneOddAccessEvery200Milliseconds) {
  train_on_driver();
  for (int i = 0; i < 40; ++i) {
    guest.pause(200 * kMs);
    venom(guest, 1);
  }
  auto alerts = detect(guest.events);
  figure("slow: one odd access every 200 ms", count(alerts));
  EXPECT_EQ(alerts.size(), 1u);
}

TEST_F(HardCase, ALossInTheMiddle) {
  train_on_driver();
  Driver driver(guest, 4);
  driver.work(20);
  venom(guest, 60);
  guest.lose(100);
  guest.pause(60'000 * kMs);
  venom(guest, 60);
  auto alerts = detect(guest.events);
  figure("a loss in the middle of an attack",
         iovm::format("both halves are found: {}", count(alerts)));
  EXPECT_EQ(alerts.size(), 2u);
}

// One process sends by a network card, another counts what came: each in an order of its own, by a
// driver that lets their accesses interleave.
TEST_F(HardCase, TwoProcessesInterleaveAtOneDevice) {
  constexpr std::uint32_t kBar = 0xfeb00000;
  context.processes.resize(2);
  auto work = [](bool sends, bool counts, unsigned seed) {
    TestGuest firmware, sender, counter;
    boot_network(firmware, kBar);
    counter.pause(1 * kMs);
    sender.pause(1 * kMs);
    sender.process = 0;
    counter.process = 1;
    std::mt19937 random(seed);
    for (unsigned i = 0; i < 500; ++i) {
      sender.store(kBar + 0x3818, i & 0xff).load(kBar + 0xc0, 1).load(kBar + 0x3810, i & 0xff);
      counter.load(kBar + 0x4074, i).load(kBar + 0x4080, i).load(kBar + 0x40c0, i);
      sender.pause(random() % 5000);
      counter.pause(random() % 5000);
    }
    Events events = firmware.events;
    if (sends) events.insert(events.end(), sender.events.begin(), sender.events.end());
    if (counts) events.insert(events.end(), counter.events.begin(), counter.events.end());
    std::ranges::stable_sort(events, {}, &trace::Event::time);
    return events;
  };
  auto largest = [this] {
    double most = 0;
    for (const detect::StreamScore& score : scores) most = std::max(most, score.max_window);
    return most;
  };
  std::vector<Events> apart = {work(true, false, 1), work(true, false, 2), work(false, true, 3),
                               work(false, true, 4), work(true, false, 5), work(false, true, 6)};
  train(apart);
  std::size_t by_device = detect(work(true, true, 7)).size();
  model::Options options;
  options.stream = model::StreamKind::device_process;
  train(apart, options);
  EXPECT_TRUE(detect(work(true, false, 7)).empty());
  double alone = largest();
  EXPECT_TRUE(detect(work(false, true, 7)).empty());
  alone = std::max(alone, largest());
  std::size_t alerts = detect(work(true, true, 7)).size();
  figure("two processes interleave at one device, trained on apart",
         iovm::format("{} false episodes; with --stream device-process {}, and no score is higher",
                      by_device, alerts));
  EXPECT_EQ(alerts, 0u);
  EXPECT_DOUBLE_EQ(largest(), alone);
}

TEST_F(HardCase, TwoVmsWithOneModel) {
  train_on_driver();
  TestGuest other;
  other.vm = 1;
  Driver(guest, 4).work(40);
  venom(guest, 60);
  Driver(other, 5).work(50);
  Events mixed = guest.events;
  mixed.insert(mixed.end(), other.events.begin(), other.events.end());
  std::ranges::stable_sort(mixed, {}, &trace::Event::time);
  auto alerts = detect(mixed);
  ASSERT_EQ(alerts.size(), 1u);
  figure("two VMs with one model, their accesses mixed", "1 alert, of the right VM");
  EXPECT_EQ(alerts.front().stream.vm_name, "web-1");
}

// Three odd accesses, then so many rounds of what the driver does, over and over.
TEST_F(HardCase, PaddedWithNormalWork) {
  train_on_driver();
  int found = 0;
  std::size_t between = 0;
  for (int rounds = 1; rounds <= 12; ++rounds) {
    TestGuest padded;
    Driver driver(padded, 6);
    for (int i = 0; i < 60; ++i) {
      venom(padded, 2);
      driver.work(rounds);
    }
    if (detect(padded.events).empty()) break;
    found = rounds;
    between = padded.events.size() / 60 - 3;
  }
  figure("three odd accesses, then normal work, over and over",
         iovm::format("found with up to {} driver commands ({} accesses) between them", found,
                      between));
  EXPECT_GE(found, 1);
}

// What an attacker does who knows the training's sequences of `order` + 1 accesses and uses no
// others: data bytes for the controller, as many as the chain lets through.
Events mimic(const Events& known, std::size_t order, std::size_t length) {
  auto same = [](const trace::Event& e) {
    bool command = e.direction == trace::Direction::write;
    return std::tuple(e.address, e.direction, command ? e.value : e.value & 0xff);
  };
  using Key = std::vector<decltype(same(known[0]))>;
  std::map<Key, std::vector<std::size_t>> followers;
  Key context;
  for (std::size_t i = 0; i < known.size(); ++i) {
    if (context.size() == order) followers[context].push_back(i);
    context.push_back(same(known[i]));
    if (context.size() > order) context.erase(context.begin());
  }
  std::mt19937 random(7);
  Events out(known.begin(), known.begin() + static_cast<std::ptrdiff_t>(order));
  while (out.size() < length) {
    Key last;
    for (std::size_t i = out.size() - order; i < out.size(); ++i) last.push_back(same(out[i]));
    const std::vector<std::size_t>& next = followers[last];
    if (next.empty()) break;
    // Rather a write than a read: reads do no harm.
    std::size_t chosen = next[random() % next.size()];
    for (std::size_t i : next) {
      if (known[i].direction == trace::Direction::write && random() % 2 == 0) chosen = i;
    }
    trace::Event event = known[chosen];
    event.time = out.back().time + 1000;
    out.push_back(event);
  }
  return out;
}

TEST_F(HardCase, Mimicry) {
  train_on_driver();
  std::string outcome;
  std::vector<bool> found;
  for (std::size_t order = 1; order <= 3; ++order) {
    Events events = mimic(normal(1), order, 3000);
    auto alerts = detect(events);
    found.push_back(!alerts.empty());
    outcome += iovm::format(
        "{}order {}: {}", order == 1 ? "" : "; ", order,
        alerts.empty() ? std::string("not found")
                       : iovm::format("found after {} accesses", alerts[0].alarm_event + 1));
  }
  figure("mimicry: only sequences of 2, 3, 4 accesses that training has", outcome);
  EXPECT_TRUE(found[0]);
}

// The driver's very accesses in its very order, from somewhere else.
TEST_F(HardCase, AModuleThatRepeatsTheDriversAccesses) {
  Code code;
  train({code.run(normal(1)), code.run(normal(2)), code.run(normal(3))});
  Code booted{code.kernel + 33 * kKernelStep, code.module + 0x51000};
  EXPECT_TRUE(detect(booted.run(normal(4))).empty());
  Code rootkit{booted.kernel, 0xffffffffc0777a40};
  Events events = booted.run(normal(4));
  std::size_t before = events.size();
  Events copy = rootkit.run(normal(1));
  for (trace::Event& event : copy) event.time += events.back().time;
  events.insert(events.end(), copy.begin(), copy.end());
  auto alerts = detect(events);
  ASSERT_EQ(alerts.size(), 1u);
  EXPECT_EQ(alerts[0].kind, detect::AlertKind::code);
  ASSERT_GE(alerts[0].alarm_event, before);
  figure(
      "mimicry: the driver's very accesses, one for one, by another module",
      iovm::format("found after {} accesses: \"{}\"; 0 alerts after a reboot with all code moved",
                   alerts[0].alarm_event - before + 1, rule_of(alerts[0])));
}

TEST_F(HardCase, KernelUpdate) {
  // So many places that it is clear: a kernel that drives all.
  auto kernel = [](std::uint64_t base, Events events) {
    for (std::size_t i = 0; i < events.size(); ++i) {
      trace::set_rip(events[i], base + events[i].address % 8 * 64 + i % 4 * 8);
      trace::set_cr3(events[i], 0x1000);
    }
    return events;
  };
  constexpr std::uint64_t kBase = 0xffffffff81234560;
  train({kernel(kBase, normal(1)), kernel(kBase, normal(2)), kernel(kBase, normal(3))});
  Driver(guest, 4).work(100);
  venom(guest, 100);
  auto alerts = detect(kernel(kBase + 0x4441, guest.events));
  ASSERT_EQ(alerts.size(), 2u);
  EXPECT_EQ(alerts[0].kind, detect::AlertKind::other_kernel);
  EXPECT_NE(alerts[1].kind, detect::AlertKind::code);
  figure("a kernel update: all its code lies elsewhere, and then an attack",
         iovm::format("1 alert for the kernel, \"{}\", and 1 for the attack, \"{}\"",
                      rule_of(alerts[0]), rule_of(alerts[1])));
}

TEST_F(HardCase, AnUpdatedModule) {
  Code code;
  train({code.run(normal(1)), code.run(normal(2)), code.run(normal(3))});
  Code updated{code.kernel, code.module + 0x2a2};
  auto alerts = detect(updated.run(normal(4)));
  figure("an updated module: the code of one driver lies elsewhere", count(alerts));
  EXPECT_EQ(alerts.size(), 1u);
}

TEST_F(HardCase, PoisonedTraining) {
  auto poisoned = [](unsigned seed) {
    TestGuest machine;
    Driver driver(machine, seed);
    for (int i = 0; i < 4; ++i) {
      driver.work(100);
      venom(machine, 20);  // of about 2,300 accesses of the driver's
    }
    return machine.events;
  };
  train({poisoned(1), poisoned(2), poisoned(3)});
  TestGuest same;
  Driver(same, 4).work(50);
  venom(same, 600);
  auto whole = detect(same.events);
  TestGuest other;
  Driver(other, 4).work(50);
  for (int i = 0; i < 40; ++i) other.in(0x3f4, 0x80).out(0x3f5, 0x8e).out(0x3f5, 0x01).in(0x3f7, 0);
  auto variant = detect(other.events);
  figure("1 % of training is the attack",
         iovm::format(
             "the same attack, thirty times as long: {}; another one with the same command: {}",
             whole.empty() ? "not found" : "found", variant.empty() ? "not found" : "found"));
}

TEST_F(HardCase, DriverUpdate) {
  std::vector<Events> before;
  model::Options options;
  options.stream = model::StreamKind::device;
  for (unsigned seed = 1; seed <= 63; ++seed) before.push_back(normal(seed, 40));
  train(before, options);
  detect::Drift drift(data.calibration);
  int warned = 0, alerts = 0;
  for (int session = 1; session <= 200 && warned == 0; ++session) {
    TestGuest updated;
    Driver driver(updated, 100 + static_cast<unsigned>(session));
    driver.work(30);
    driver.other_work(3);
    alerts += static_cast<int>(detect(updated.events).size());
    for (const auto& score : scores) {
      if (score.alerts == 0) drift.add(score.session.score);
    }
    if (drift.found()) warned = session;
  }
  figure("a driver update: one command in eleven in another way",
         iovm::format("warning of drift after {} recordings, {} alerts so far", warned, alerts));
  EXPECT_GT(warned, 0);
}

TEST_F(HardCase, RebootAndMovedBars) {
  auto boot = [](std::uint32_t base, int times) {
    TestGuest machine;
    for (int i = 0; i < times; ++i) {
      boot_network(machine, base + static_cast<std::uint32_t>(i) * 0x100000);
      use_network(machine, base + static_cast<std::uint32_t>(i) * 0x100000, 300);
    }
    return machine.events;
  };
  train({boot(0xfeb00000, 1), boot(0xfeb00000, 1), boot(0xfeb00000, 1)});
  auto alerts = detect(boot(0xe0000000, 3));
  figure("three boots, the BARs elsewhere each time", count(alerts));
  EXPECT_EQ(alerts.size(), 0u);
}

TEST_F(HardCase, ANewDisk) {
  auto disk = [](TestGuest& machine, std::uint64_t base, int commands) {
    for (int i = 0; i < commands; ++i) {
      machine.out(base + 2, 8).out(base + 3, static_cast<std::uint64_t>(i)).out(base + 6, 0xe0);
      machine.out(base + 7, 0xc8).in(base + 7, 0x58).pause(20 * kMs);
    }
  };
  TestGuest one;
  disk(one, 0x1f0, 300);
  train({one.events, one.events, one.events});
  disk(guest, 0x1f0, 100);
  disk(guest, 0x170, 100);
  auto alerts = detect(guest.events);
  ASSERT_EQ(alerts.size(), 1u);
  figure("a new disk, at a channel that was empty in training",
         iovm::format("1 alert: \"{}\"", rule_of(alerts.front())));
  EXPECT_EQ(alerts.front().steps.front().novelty, detect::Novelty::unknown_device);
}

TEST_F(HardCase, CpuHotPlug) {
  train_on_driver();
  Driver driver(guest, 8);
  for (std::uint16_t vcpu : std::initializer_list<std::uint16_t>{0, 1, 5, 0, 7}) {
    guest.vcpu = vcpu;
    driver.work(60);
  }
  std::size_t alerts = detect(guest.events).size();
  train({normal(1), normal(2), normal(3)}, {.stream = model::StreamKind::vcpu});
  std::size_t by_vcpu = detect(guest.events).size();
  figure("the work moves to vCPUs that training had not",
         iovm::format("{} alerts; with --stream vcpu: {}", alerts, by_vcpu));
  EXPECT_EQ(alerts, 0u);
}

// Reads, changes and writes back a disk, in the order of the driver, little at a time.
TEST_F(HardCase, RansomwareThroughTheGuestsOwnDriver) {
  auto disk = [](TestGuest& machine, bool write, std::uint32_t first) {
    machine.out(0x1f2, 32).out(0x1f3, first & 0xff).out(0x1f4, first >> 8 & 0xff);
    machine.out(0x1f5, first >> 16 & 0xff).out(0x1f6, 0xe0).out(0x1f7, write ? 0xca : 0xc8);
    machine.in(0x1f7, 0x50).pause(100 * kMs);
  };
  auto work = [&](unsigned seed) {
    std::mt19937 random(seed);
    TestGuest machine;
    for (int i = 0; i < 1200; ++i) disk(machine, random() % 4 == 0, random() & 0xffff00);
    return machine.events;
  };
  train({work(1), work(2), work(3)});
  guest.events = work(4);
  std::size_t false_ones = detect(guest.events).size();
  TestGuest evil;
  for (std::uint32_t i = 0; i < 150; ++i) {
    disk(evil, false, i * 32);
    disk(evil, true, i * 32);
  }
  auto alerts = detect(evil.events);
  ASSERT_EQ(alerts.size(), 1u);
  ASSERT_TRUE(alerts.front().excess);
  figure(
      "ransomware through the guest's own driver, slower than its normal work",
      iovm::format("1 alert: {}; {} false episodes", describe(*alerts.front().excess), false_ones));
  EXPECT_EQ(false_ones, 0u);
  EXPECT_EQ(alerts.front().kind, detect::AlertKind::volume);
}

}  // namespace
}  // namespace iovm
