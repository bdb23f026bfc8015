// SPDX-License-Identifier: Apache-2.0
//
// Recordings that began after the boot: the context tells the PCI layout in place of the traffic.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/pci_tracker.h"
#include "model/tokenizer.h"
#include "unit/model/events.h"

namespace iovm::model {
namespace {

using testing::StartsWith;

constexpr std::uint16_t kNic = 0x18;
constexpr std::uint16_t kDisk = 0x20;
constexpr std::uint16_t kBridge = 0x28;
constexpr std::uint16_t kBehind = 0x0108;

trace::PciLayout layout_of_machine() {
  trace::PciFunction nic{.place = kNic, .vendor = 0x8086, .device = 0x100e, .class_code = 0x0200};
  nic.regions = {{0, true, false, 0xfeb80000, 0x20000}, {1, false, false, 0xc000, 0x40}};
  trace::PciFunction disk{.place = kDisk, .vendor = 0x1af4, .device = 0x1042, .class_code = 0x0100};
  disk.regions = {{1, true, false, 0xfebf1000, 0x1000}, {4, true, true, 0x4000000000, 0x4000}};
  trace::PciFunction bridge{
      .place = kBridge, .vendor = 0x1b36, .device = 0x0001, .class_code = 0x0604};
  bridge.secondary = bridge.subordinate = 1;
  trace::PciFunction behind{
      .place = kBehind, .vendor = 0x10ec, .device = 0x8139, .class_code = 0x0200};
  behind.regions = {{0, false, false, 0xd000, 0x100}, {1, true, false, 0xfe800000, 0x100}};
  return {"QMP", {nic, disk, bridge, behind}};
}

// The same machine as its firmware and driver set it up.
void boot(TestGuest& guest) {
  guest.place_device(kNic, 0x100e8086, 0, 0xfffe0000, 0xfeb80000);
  guest.place_device(kNic, 0x100e8086, 1, 0xffffffc1, 0xc001);
  guest.place_device(kDisk, 0x10421af4, 1, 0xfffff000, 0xfebf1000);
  guest.place_device(kDisk, 0x10421af4, 4, 0xffffc004, 0);
  guest.config_write(kDisk, 0x24, 0xffffffff).config_read(kDisk, 0x24, 0xffffffff);
  guest.config_write(kDisk, 0x24, 0x40);
  auto capability = [&](std::uint32_t at, std::initializer_list<std::uint32_t> words) {
    for (std::uint32_t word : words) guest.config_read(kDisk, at, word), at += 4;
  };
  capability(0x40, {0x01105009, 4, 0, 0x1000});
  capability(0x50, {0x03106009, 4, 0x1000, 0x1000});
  capability(0x60, {0x04107009, 4, 0x2000, 0x1000});
  capability(0x70, {0x02148409, 4, 0x3000, 0x1000});
  capability(0x98, {0x00030011, 1, 0x801});
  guest.config_read(kBridge, 0, 0x00011b36).config_write(kBridge, 0x18, 0x00010100);
  guest.place_device(kBehind, 0x813910ec, 0, 0xffffff01, 0xd001);
  guest.place_device(kBehind, 0x813910ec, 1, 0xffffff00, 0xfe800000);
}

// What drivers do on it later, a look into the configuration space included.
void work(TestGuest& guest) {
  guest.load(0xfeb80008).store(0xfeb83818, 5).out(0xc004, 1, 4);
  guest.store(0x4000000014, 0xf, 1).store(0x4000000016, 1, 2).load(0x4000001000, 0, 1);
  guest.load(0x4000002000).store(0x4000003004, 1, 2).store(0xfebf101c, 1).load(0xfebf1800);
  guest.in(0xd036, 0, 1).load(0xfe800036, 0, 1).load(0xfe900000);
  guest.config_read(kNic, 4, 0x00100007).config_read(0x30, 4, 0xffffffff);
}

struct Machine {
  TestGuest guest;
  Tokenizer tokenizer;
  std::size_t done = 0;

  void know(const trace::PciLayout& layout) {
    trace::VmInfo vm;
    vm.pci = layout;
    tokenizer.know(std::span(&vm, 1));
  }
  std::vector<std::string> names() {
    std::vector<std::string> names;
    for (; done < guest.events.size(); ++done) {
      Token token = tokenizer(guest.events[done]);
      names.push_back(short_name(tokenizer.alphabet().operation(token.symbol)) + " " +
                      describe(tokenizer.devices()[token.device]));
    }
    return names;
  }
  std::string name() { return names().back(); }
  trace::PciLayout layout(const trace::PciLayout& told = {}) const {
    return tokenizer.layout(0, told);
  }
};

TEST(PciToldTest, TheSameMachineAttachedLateHasTheSymbolsThatItHasFromItsBoot) {
  Machine from_boot, late, bare;
  boot(from_boot.guest);
  from_boot.names();
  work(from_boot.guest);
  late.know(layout_of_machine());
  work(late.guest);
  std::vector<std::string> names = from_boot.names();
  EXPECT_EQ(late.names(), names);
  EXPECT_THAT(names[0], StartsWith("8086:100e:bar0+8:r4 PCI 00:03.0"));
  work(bare.guest);
  EXPECT_THAT(bare.names()[0], StartsWith("unassigned"));
}

TEST(PciToldTest, ARebootOverridesTheLayoutAndKeepsTheSymbols) {
  Machine machine;
  machine.know(layout_of_machine());
  work(machine.guest);
  std::vector<std::string> before = machine.names();
  boot(machine.guest);
  machine.names();
  work(machine.guest);
  EXPECT_EQ(machine.names(), before);
}

TEST(PciToldTest, ABarThatMovesTakesItsNameAlong) {
  Machine machine;
  machine.know(layout_of_machine());
  machine.guest.load(0xfeb80008);
  std::string before = machine.name();
  machine.guest.config_write(kNic, 0x10, 0xe0000000).load(0xe0000008);
  EXPECT_EQ(machine.name(), before);
  machine.guest.load(0xfeb80008);
  EXPECT_THAT(machine.name(), StartsWith("unassigned"));
}

TEST(PciToldTest, ABarThatWasNowhereIsPlacedByTheFirstWrite) {
  trace::PciLayout layout = layout_of_machine();
  layout.functions[0].regions[0].address = 0;
  Machine machine;
  machine.know(layout);
  machine.guest.load(0xfeb80008);
  EXPECT_THAT(machine.name(), StartsWith("unassigned"));
  machine.guest.config_write(kNic, 0x10, 0xfeb80000).load(0xfeb80008);
  EXPECT_THAT(machine.name(), StartsWith("8086:100e:bar0+8"));
}

TEST(PciToldTest, OtherBusNumbersEndWhatWasToldBehindTheBridge) {
  Machine machine;
  machine.know(layout_of_machine());
  machine.guest.config_write(kBridge, 0x18, 0x00020200).load(0xfe800036, 0, 1);
  EXPECT_THAT(machine.name(), StartsWith("unassigned"));
}

TEST(PciToldTest, WhoBeginsWithTheLayoutThatTrafficToldHasTheSameSymbols) {
  Machine from_boot, late;
  boot(from_boot.guest);
  from_boot.names();
  trace::PciLayout layout = from_boot.layout();
  EXPECT_EQ(layout.from, "traffic");
  EXPECT_EQ(layout.functions.size(), 4U);
  work(from_boot.guest);
  late.know(layout);
  work(late.guest);
  EXPECT_EQ(late.names(), from_boot.names());
}

TEST(PciToldTest, ALayoutThatNobodyChangedStaysAsItWasTold) {
  trace::PciLayout told = layout_of_machine();
  told.functions[0].regions.push_back({trace::kRomRegion, true, false, 0, 0x40000});
  std::swap(told.functions[0], told.functions[3]);
  Machine machine;
  machine.know(told);
  work(machine.guest);
  machine.names();
  EXPECT_EQ(machine.layout(told), told);
}

TEST(PciToldTest, ALayoutHasWhatTheTrafficChangedAndKeepsTheRest) {
  trace::PciLayout told = layout_of_machine();
  told.functions[0].regions.push_back({trace::kRomRegion, true, false, 0, 0x40000});
  Machine machine;
  machine.know(told);
  machine.guest.config_write(kNic, 0x10, 0xe0000000).config_write(kBridge, 0x18, 0x00020200);
  machine.names();
  trace::PciLayout now = machine.layout(told);
  EXPECT_EQ(now.from, "QMP, traffic");
  EXPECT_EQ(now.functions.size(), 3U);  // what was behind the bridge is not known there any more
  told.functions[0].regions[0].address = 0xe0000000;
  EXPECT_EQ(now.functions[0], told.functions[0]);
  EXPECT_EQ(now.functions[2].secondary, 2);
}

TEST(PciToldTest, EachVmHasItsOwnLayout) {
  Machine machine;
  std::vector<trace::VmInfo> vms(2);
  machine.tokenizer.know(std::span(vms).first(1));
  vms[1].pci = layout_of_machine();
  machine.tokenizer.know(vms);
  machine.guest.load(0xfeb80008);
  EXPECT_THAT(machine.name(), StartsWith("unassigned"));
  machine.guest.vm = 1;
  machine.guest.load(0xfeb80008);
  EXPECT_THAT(machine.name(), StartsWith("8086:100e:bar0+8"));
}

TEST(PciToldTest, ALayoutDoesNotOverrideWhatTheTrafficSaid) {
  PciTracker tracker;
  trace::Event identity;
  identity.direction = trace::Direction::read;
  set_value(identity, 0x813910ec);
  set_size(identity, 4);
  set_count(identity, 1);
  tracker.config_access(kNic, 0, identity);
  tracker.know(layout_of_machine());
  EXPECT_FALSE(tracker.find(true, 0xfeb80008));
}

TEST(PciToldTest, RegionsThatCannotBeAreLeftOut) {
  constexpr std::uint64_t kTop = std::uint64_t{1} << 63;
  const trace::PciRegion kImpossible[] = {
      {9, true, false, 0x10000000, 0x1000},  // no such BAR
      {5, true, true, 0x10000000, 0x1000},   // of two registers, and there is one
      {0, true, false, 0x10000000, 0x1800},  // no power of two
      {0, true, false, 0x10000000, 0},
      {0, true, false, 0x10000800, 0x1000},   // not aligned
      {0, true, false, 0x110000000, 0x1000},  // more than the register holds
      {0, true, true, ~std::uint64_t{0}, kTop},
      {0, true, true, kTop + 1, kTop},
      {0, false, false, 0x10000000, 0x20},
      {0, false, false, 0x1000, 0x20000},
  };
  for (const trace::PciRegion& region : kImpossible) {
    PciTracker tracker;
    trace::PciFunction nic{.place = kNic, .vendor = 0x8086, .device = 0x100e};
    nic.regions = {region};
    EXPECT_TRUE(tracker.know({"QMP", {nic}}).empty()) << region.address << " " << region.size;
    EXPECT_FALSE(tracker.find(region.memory, region.address & 0xffffffff));
    EXPECT_FALSE(tracker.find(region.memory, region.address));
  }
  PciTracker tracker;
  trace::PciFunction huge{.place = kNic, .vendor = 0x8086, .device = 0x100e};
  huge.regions = {{0, true, true, kTop, kTop}};
  EXPECT_EQ(tracker.know({"QMP", {huge}}).size(), 1U);
  EXPECT_TRUE(tracker.find(true, ~std::uint64_t{0}));
}

TEST(PciToldTest, AsManyFunctionsAsTheTrackerHoldsAreTaken) {
  trace::PciLayout layout{"QMP", {}};
  for (std::uint16_t i = 0; i < 2000; ++i) {
    trace::PciFunction f{.place = i, .vendor = 0x8086, .device = 0x100e};
    f.regions = {{0, true, false, 0x80000000, 0x1000}};  // all of them in one place
    layout.functions.push_back(f);
  }
  PciTracker tracker;
  tracker.know(layout);
  EXPECT_TRUE(tracker.knows(kMaxFunctions - 1));
  EXPECT_FALSE(tracker.knows(kMaxFunctions));
  EXPECT_TRUE(tracker.find(true, 0x80000000));
}

}  // namespace
}  // namespace iovm::model
