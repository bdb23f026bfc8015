// SPDX-License-Identifier: Apache-2.0
//
// The hard cases of where the guest's code lies (hard_cases_test.cc tells what such a case is).
#include "unit/cases/hard_case.h"

namespace iovm {
namespace {

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

}  // namespace
}  // namespace iovm
