// SPDX-License-Identifier: Apache-2.0
//
// What moves and what stays: layouts told by configuration traffic, as symbols see them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/tokenizer.h"
#include "unit/model/events.h"

namespace iovm::model {
namespace {

constexpr std::uint32_t kE1000 = 0x100e8086;
constexpr std::uint32_t kBlock = 0x10421af4;
constexpr std::uint32_t kPowerManagement = 0x71138086;
constexpr std::uint32_t kQ35 = 0x29c08086;
constexpr std::uint32_t kNic = 0x18;

// What a boot of a machine with a NIC and a virtio disk says, whose BARs the firmware puts there.
std::vector<std::string> symbols_of_boot(std::uint32_t nic, std::uint32_t disk) {
  TestGuest guest;
  guest.place_device(kNic, kE1000, 0, 0xfffe0000, nic);
  guest.place_device(0x20, kBlock, 4, 0xffffc000, disk);
  guest.config_read(0x20, 0x40, 0x01105009).config_read(0x20, 0x44, 4);
  guest.config_read(0x20, 0x48, 0x1000).config_read(0x20, 0x4c, 0x1000);
  guest.load(nic + 8).store(nic + 0x3818, 5);
  guest.store(disk + 0x1014, 0xf, 1).store(disk + 0x3000, 0, 2);
  Tokenizer tokenizer;
  std::vector<std::string> names;
  for (const trace::Event& event : guest.events) {
    names.push_back(short_name(tokenizer.alphabet().operation(tokenizer(event).symbol)));
  }
  return names;
}

class PciLayoutTest : public testing::Test {
 protected:
  std::string name() {
    Token token;
    for (; done_ < guest.events.size(); ++done_) token = tokenizer(guest.events[done_]);
    return short_name(tokenizer.alphabet().operation(token.symbol));
  }
  // A capability of four words at `at`, as a driver reads it.
  void capability(std::uint32_t bdf, std::uint32_t at, std::initializer_list<std::uint32_t> words) {
    for (std::uint32_t word : words) guest.config_read(bdf, at, word), at += 4;
  }
  TestGuest guest;
  Tokenizer tokenizer;

 private:
  std::size_t done_ = 0;
};

TEST_F(PciLayoutTest, TheSameMachineWithItsBarsMovedHasTheSameSymbols) {
  EXPECT_EQ(symbols_of_boot(0xfeb80000, 0xfebf0000), symbols_of_boot(0xe0000000, 0xd0400000));
}

TEST_F(PciLayoutTest, VirtioStructuresAreWhereTheirCapabilitiesSay) {
  guest.place_device(0x20, kBlock, 4, 0xffffc000, 0xfe000000);
  capability(0x20, 0x40, {0x01105009, 4, 0x1000, 0x1000});
  capability(0x20, 0x50, {0x02146409, 4, 0x3000, 0x1000});
  guest.store(0xfe001014, 0xf, 1);
  EXPECT_EQ(name(), "1af4:1042:common+14:w1=f");
  guest.store(0xfe003004, 1, 2);
  EXPECT_EQ(name(), "1af4:1042:notify+4:w2");
  capability(0x20, 0x40, {0x01105009, 4, 0x2000, 0x1000});
  guest.store(0xfe002014, 0xf, 1);
  EXPECT_EQ(name(), "1af4:1042:common+14:w1=f");
}

TEST_F(PciLayoutTest, QueueRegistersAreNamedByTheSelectedQueue) {
  guest.place_device(0x20, kBlock, 4, 0xffffc000, 0xfe000000);
  capability(0x20, 0x40, {0x01105009, 4, 0, 0x1000});
  guest.store(0xfe000016, 1, 2).store(0xfe00001c, 1, 2);
  EXPECT_EQ(name(), "1af4:1042:common+1c[1]:w2");
}

TEST_F(PciLayoutTest, TheMsixTableIsNamedWhereverItIs) {
  guest.place_device(0x20, kBlock, 1, 0xfffff000, 0xfe000000);
  guest.config_read(0x20, 0x98, 0x00030011).config_read(0x20, 0x9c, 0x00000801);
  capability(0x20, 0xa0, {0x00000c01});
  guest.store(0xfe00081c, 1);
  EXPECT_EQ(name(), "1af4:1042:msix+1c:w4=1");
}

TEST_F(PciLayoutTest, AcpiRegistersKeepTheirSymbolsWhereverTheFirmwarePutsThem) {
  guest.out(0x604, 0x2000, 2);
  std::string usual = name();
  guest.config_read(0x0b, 0, kPowerManagement).config_write(0x0b, 0x40, 0xb001);
  guest.out(0xb004, 0x2000, 2);
  EXPECT_EQ(name(), usual);
  EXPECT_EQ(usual, "acpi:604:w2=2000");
}

TEST_F(PciLayoutTest, SizingDoesNotMoveABar) {
  guest.place_device(kNic, kE1000, 0, 0xfffe0000, 0xfeb80000);
  guest.config_write(kNic, 0x10, 0xffffffff).load(0xfeb80008);
  EXPECT_EQ(name(), "8086:100e:bar0+8:r4");
  guest.config_read(kNic, 0x10, 0xfffe0000).config_write(kNic, 0x10, 0xfeb80000).load(0xfeb80008);
  EXPECT_EQ(name(), "8086:100e:bar0+8:r4");
}

TEST_F(PciLayoutTest, OfOverlappingBarsTheOnePlacedLastCounts) {
  guest.place_device(kNic, kE1000, 0, 0xfffe0000, 0xfeb80000);
  guest.place_device(0x20, kBlock, 0, 0xfff00000, 0xfeb00000).load(0xfeb80008);
  EXPECT_THAT(name(), testing::StartsWith("1af4:1042:bar0"));
}

TEST_F(PciLayoutTest, AFunctionThatIsGoneLeavesNothing) {
  guest.place_device(kNic, kE1000, 0, 0xfffe0000, 0xfeb80000).load(0xfeb80008);
  EXPECT_EQ(name(), "8086:100e:bar0+8:r4");
  guest.config_read(kNic, 0, 0xffffffff).load(0xfeb80008);
  EXPECT_THAT(name(), testing::StartsWith("unassigned"));
}

TEST_F(PciLayoutTest, OtherBusNumbersEndWhatWasBehindTheBridge) {
  guest.config_read(0x08, 0, 0x000c1b36).config_read(0x08, 0x0e, 0);
  guest.out(0xcf8, 0x8000080c, 4).in(0xcfe, 1, 1);
  guest.config_write(0x08, 0x18, 0x00010100).place_device(0x100, kE1000, 0, 0xfffe0000, 0xfeb80000);
  guest.load(0xfeb80008);
  EXPECT_EQ(name(), "8086:100e:bar0+8:r4");
  guest.config_write(0x08, 0x18, 0x00020200).load(0xfeb80008);
  EXPECT_THAT(name(), testing::StartsWith("unassigned"));
}

TEST_F(PciLayoutTest, ALookForAFunctionIsTheSameAtEachBoot) {
  guest.config_read(kNic, 0, kE1000);
  std::string first = name();
  guest.config_read(kNic, 0, kE1000);
  EXPECT_EQ(name(), first);
  guest.config_read(0x48, 0, 0xffffffff);
  EXPECT_EQ(name(), first);
  guest.out(0xcf8, 0x80000000 | 0x50 << 8, 4).in(0xcfc, 0x1af4, 2);  // the vendor alone tells
  guest.out(0xcf8, 0x80000000 | 0x50 << 8 | 0xc, 4).in(0xcfe, 0, 1);
  EXPECT_EQ(name(), "pci-config:cfg+e[00:0a.0]:r1");
}

TEST_F(PciLayoutTest, EcamIsTheSameConfigurationSpace) {
  guest.config_read(0, 0, kQ35).config_write(0, 0x60, 0xb0000001);
  guest.load(0xb0000000 + (kNic << 12), kE1000);
  EXPECT_EQ(name(), "pci-config:cfg+0[any function]:r4");
  guest.store(0xb0000010 + (kNic << 12), 0xffffffff).load(0xb0000010 + (kNic << 12), 0xfffe0000);
  guest.store(0xb0000010 + (kNic << 12), 0xfeb80000).load(0xfeb80008);
  EXPECT_EQ(name(), "8086:100e:bar0+8:r4");
}

TEST_F(PciLayoutTest, ABarLargerThanFourGigabytesIsKnownWhole) {
  guest.config_read(0x28, 0, 0x11101af4);
  guest.config_write(0x28, 0x18, 0xffffffff).config_read(0x28, 0x18, 0x0000000c);
  guest.config_write(0x28, 0x1c, 0xffffffff).config_read(0x28, 0x1c, 0xfffffffe);
  guest.config_write(0x28, 0x18, 0xc).config_write(0x28, 0x1c, 0x80);
  guest.load(0x8100000000);
  EXPECT_EQ(name(), "1af4:1110:bar2+100000000:r4");
}

}  // namespace
}  // namespace iovm::model
