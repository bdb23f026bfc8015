// SPDX-License-Identifier: Apache-2.0
//
// Attacks that know how they are looked for, and changes that are no attack: each case trains a
// model as `iovm train` does, looks at what came as `iovm detect` does, and records its figure,
// good or poor; scripts/detection-proof makes a table of them (docs/detection.md). What is expected
// below is what was reached: a figure that gets worse fails, one that gets better is written down.
#include "unit/cases/hard_case.h"

namespace iovm {
namespace {

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

// The kernel looks for disks with a thread for each port, and they interleave as they like.
TEST_F(HardCase, APartOfADeviceForEachThread) {
  constexpr std::uint32_t kBar = 0xfebd0000;
  auto boot = [](unsigned seed) {
    TestGuest machine;
    machine.place_device(0xfa, 0x29228086, 5, 0xfffff000, kBar);
    machine.config_write(0xfa, 4, 7);
    std::mt19937 random(seed);
    std::vector<int> done(6);
    for (int left = 6; left > 0;) {
      std::size_t which = random() % 6;
      if (done[which] >= 40) continue;
      std::uint64_t port = kBar + 0x100 + 0x80 * which;
      for (std::size_t burst = 1 + random() % 3; burst > 0 && done[which] < 40; --burst) {
        int step = done[which]++;
        if (step % 4 == 0) machine.store(port + 0x2c, step == 0 ? 0x301 : 0x300);
        if (step % 4 != 0) machine.load(port + (step % 4 == 1 ? 0x2c : 0x28));
      }
      left -= done[which] >= 40 ? 1 : 0;
    }
    return machine.events;
  };
  train({boot(1), boot(2), boot(3)});
  std::size_t alerts = 0;
  for (unsigned seed = 10; seed < 20; ++seed) alerts += detect(boot(seed)).size();
  figure("six threads find six disks, interleaved otherwise in each of ten boots",
         iovm::format("{} false episodes", alerts));
  EXPECT_EQ(alerts, 0u);
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

TEST_F(HardCase, AnAttackInOneRecordingOfThree) {
  TestGuest attacked;
  Driver driver(attacked, 2);
  driver.work(200);
  venom(attacked, 20);
  driver.work(200);
  train({normal(1), attacked.events, normal(3)});
  ASSERT_EQ(unlike.size(), 1u);
  EXPECT_EQ(unlike[0].recording, 1u);
  figure("an attack in one of three recordings to train on",
         iovm::format("training warns: that recording is unlike the others, {:.0f} bits at {}",
                      model::to_bits(unlike[0].largest), model::device_name(unlike[0].device)));
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
