// SPDX-License-Identifier: Apache-2.0
#include "model/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/model/events.h"

namespace iovm::model {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class TokenizerTest : public testing::Test {
 protected:
  // Tokenizes all that the guest has done since the last call; the last one's token.
  Token last() {
    Token token;
    for (; done_ < guest.events.size(); ++done_) {
      const trace::Event& event = guest.events[done_];
      if (event.kind == trace::EventKind::loss) {
        tokenizer.lost(event);
      } else {
        token = tokenizer(event);
      }
    }
    return token;
  }
  std::string name() { return short_name(tokenizer.alphabet().operation(last().symbol)); }

  TestGuest guest;
  Tokenizer tokenizer;

 private:
  std::size_t done_ = 0;
};

constexpr std::uint32_t kE1000 = 0x100e8086;
constexpr std::uint32_t kRtl8139 = 0x813910ec;

TEST_F(TokenizerTest, DataRegistersKeepTheirSymbolWhateverTheValue) {
  guest.out(0x1f2, 1);
  Symbol one = last().symbol;
  guest.out(0x1f2, 2);
  EXPECT_EQ(last().symbol, one);
}

TEST_F(TokenizerTest, CommandRegistersHaveASymbolForEachValue) {
  guest.out(0x1f7, 0x20);
  EXPECT_EQ(name(), "ide0:1f7:w1=20");
  guest.out(0x1f7, 0xc8);
  EXPECT_EQ(name(), "ide0:1f7:w1=c8");
  guest.in(0x1f7, 0x50);
  EXPECT_EQ(name(), "ide0:1f7:r1");
}

TEST_F(TokenizerTest, DataPortsAreNamedByTheIndexSelectedBefore) {
  guest.out(0x70, 0x8f).in(0x71, 0x12);
  EXPECT_EQ(name(), "cmos:71[f]:r1");
  guest.out(0x70, 0x0a).in(0x71, 0x12);
  EXPECT_EQ(name(), "cmos:71[a]:r1");
}

TEST_F(TokenizerTest, AWordToAnIndexPortSelectsByItsLowByte) {
  guest.out(0x3c4, 0x0604, 2);
  EXPECT_EQ(name(), "vga:3c4[4]:w2=6");
  guest.out(0x3c5, 1);
  EXPECT_EQ(name(), "vga:3c5[4]:w1=1");
}

TEST_F(TokenizerTest, ValuesCountBehindAnIndexWhereTheTableSaysSo) {
  guest.out(0x70, 0x0b).out(0x71, 0x42);
  EXPECT_EQ(name(), "cmos:71[b]:w1=42");
  guest.out(0x70, 0x02).out(0x71, 0x42);
  EXPECT_EQ(name(), "cmos:71[2]:w1");
}

TEST_F(TokenizerTest, TheAttributeControllerTakesIndexAndDataByTurns) {
  guest.out(0x3c0, 0x10);
  EXPECT_EQ(name(), "vga:3c0:w1");  // whose turn it is is not known yet
  guest.in(0x3da).out(0x3c0, 0x10);
  EXPECT_EQ(name(), "vga:3c0:w1=10");
  guest.out(0x3c0, 0x0c);
  EXPECT_EQ(name(), "vga:3c0[10]:w1=c");
  guest.out(0x3c0, 0x20);
  EXPECT_EQ(name(), "vga:3c0:w1=0");
}

TEST_F(TokenizerTest, RegistersThatNoTableHasKeepTheirValuesWhileTheyAreFew) {
  guest.place_device(0x18, 0x56781234, 0, 0xfffff000, 0xfeb80000);
  for (std::uint64_t value = 0; value < kLearnedValues; ++value) guest.store(0xfeb80010, value);
  EXPECT_EQ(name(), "1234:5678:bar0+10:w4=f");
  guest.store(0xfeb80010, 0x100);
  EXPECT_EQ(name(), "1234:5678:bar0+10:w4");
}

TEST_F(TokenizerTest, WhoseCodeItIsIsTold) {
  auto code = [&](std::uint64_t rip, std::uint64_t cr3) {
    guest.rip = rip, guest.cr3 = cr3;
    guest.out(0x1f2, 1);
    return last().code;
  };
  EXPECT_EQ(code(0, 0), CodeClass::unrecorded);
  EXPECT_EQ(code(0xf0000, 0x1000), CodeClass::firmware);
  EXPECT_EQ(code(0xffffffff81000000, 0x1000), CodeClass::kernel);
  EXPECT_EQ(code(0xffffffffc0123456, 0x1000), CodeClass::module);
  EXPECT_EQ(code(0xffff888000001000, 0x1000), CodeClass::other);
  EXPECT_EQ(code(0x401000, 0x1000), CodeClass::user);
}

TEST_F(TokenizerTest, FloppyBytesAreCommandsOnlyWhileTheControllerIsIdle) {
  guest.in(0x3f4, 0x80).out(0x3f5, 0x8e);
  EXPECT_EQ(name(), "fdc:3f5:w1=8e");
  guest.in(0x3f4, 0x90).out(0x3f5, 0x41);
  EXPECT_EQ(name(), "fdc:3f5:w1");
}

TEST_F(TokenizerTest, AFloppyStatusHoldsForOneAccessOnly) {
  guest.in(0x3f4, 0x90).out(0x3f5, 0x41).out(0x3f5, 0x8e);
  EXPECT_EQ(name(), "fdc:3f5:w1=8e");
  guest.in(0x3f4, 0xd0).in(0x3f5, 0).out(0x3f5, 0x8e);
  EXPECT_EQ(name(), "fdc:3f5:w1=8e");
}

TEST_F(TokenizerTest, ALossForgetsWhatWasSelected) {
  guest.out(0x70, 0x0a).lose().in(0x71);
  EXPECT_EQ(name(), "cmos:71:r1");
}

TEST_F(TokenizerTest, ConfigurationAccessesAreNamedByFunctionAndRegister) {
  guest.config_read(0x18, 0x08, 0x02000003);
  EXPECT_EQ(name(), "pci-config:cfg+8[any function]:r4");
  guest.config_read(0x18, 0, kE1000).config_read(0x18, 0x08, 0x02000003);
  EXPECT_EQ(name(), "pci-config:cfg+8[00:03.0]:r4");
}

TEST_F(TokenizerTest, ADeviceKeepsItsSymbolsWhenItsBarMoves) {
  guest.place_device(0x18, kE1000, 0, 0xfffe0000, 0xfeb80000).load(0xfeb80008);
  Token before = last();
  EXPECT_EQ(short_name(tokenizer.alphabet().operation(before.symbol)), "8086:100e:bar0+8:r4");
  guest.config_write(0x18, 0x10, 0xe0000000).load(0xe0000008);
  Token after = last();
  EXPECT_EQ(after.symbol, before.symbol);
  EXPECT_EQ(after.device, before.device);
  guest.load(0xfeb80008);
  EXPECT_THAT(name(), StartsWith("unassigned:"));
}

TEST_F(TokenizerTest, ARebootMayGiveThePlaceToAnotherDevice) {
  guest.place_device(0x18, kE1000, 0, 0xfffe0000, 0xfeb80000).load(0xfeb80000);
  last();
  guest.place_device(0x18, kRtl8139, 1, 0xffffff00, 0xfeb80000).load(0xfeb80036, 0, 1);
  EXPECT_EQ(name(), "10ec:8139:bar1+36:r1");
}

TEST_F(TokenizerTest, TwoDevicesOfOneKindShareSymbolsButNotStreams) {
  guest.place_device(0x18, kE1000, 0, 0xfffe0000, 0xfeb80000);
  guest.place_device(0x20, kE1000, 0, 0xfffe0000, 0xfeba0000);
  guest.load(0xfeb80008);
  Token one = last();
  guest.load(0xfeba0008);
  Token two = last();
  EXPECT_EQ(one.symbol, two.symbol);
  EXPECT_NE(one.device, two.device);
  EXPECT_THAT(describe(tokenizer.devices()[two.device]), HasSubstr("00:04.0"));
}

TEST_F(TokenizerTest, ThePortsOfADiskControllerHaveStreamsOfTheirOwn) {
  guest.place_device(0xfa, 0x29228086, 5, 0xfffff000, 0xfebd0000);
  guest.load(0xfebd0008);
  DeviceIndex whole = last().device;
  guest.load(0xfebd0110);
  DeviceIndex first = last().device;
  guest.store(0xfebd0218, 6);
  DeviceIndex third = last().device;
  EXPECT_NE(first, whole);
  EXPECT_NE(first, third);
  EXPECT_EQ(tokenizer.devices()[third].type, tokenizer.devices()[whole].type);
  EXPECT_EQ(describe(tokenizer.devices()[third]), "PCI 00:1f.2 Intel ICH9 AHCI controller, port 2");
  guest.load(0xfebd0138);
  EXPECT_EQ(last().device, first);
  guest.load(0xfebd000c);
  EXPECT_EQ(last().device, whole);
}

TEST_F(TokenizerTest, ASixtyFourBitBarIsFollowedAboveFourGigabytes) {
  guest.config_read(0x28, 0, 0x10501af4);
  guest.config_write(0x28, 0x20, 0xffffffff).config_read(0x28, 0x20, 0xffffc00c);
  guest.config_write(0x28, 0x24, 0xffffffff).config_read(0x28, 0x24, 0xffffffff);
  guest.config_write(0x28, 0x20, 0x0000000c).config_write(0x28, 0x24, 0x00000080);
  guest.store(0x8000003000, 0, 2);
  EXPECT_EQ(name(), "1af4:1050:bar4+3000:w2=0");
}

TEST_F(TokenizerTest, WindowsAreOneRegisterEach) {
  guest.store(0xb8000, 'a', 2);
  Symbol first = last().symbol;
  guest.store(0xb8f9e, 'b', 1);
  EXPECT_EQ(last().symbol, first);
  guest.store(0xa0000, 0, 1);
  EXPECT_NE(last().symbol, first);
}

TEST_F(TokenizerTest, UnassignedMemoryIsToldApartByPages) {
  guest.load(0xd0000010);
  Symbol page = last().symbol;
  guest.load(0xd0000ffc);
  EXPECT_EQ(last().symbol, page);
  guest.load(0xd0001000);
  EXPECT_NE(last().symbol, page);
}

TEST_F(TokenizerTest, CodeOutsideTheKernelIsMarkedOnceAKernelHasRun) {
  guest.rip = 0xf0000, guest.cr3 = 0x1000;  // firmware with paging on
  guest.out(0x1f2, 1);
  EXPECT_EQ(name(), "ide0:1f2:w1");
  guest.rip = 0xffffffff81000000;
  guest.out(0x1f2, 1);
  EXPECT_EQ(name(), "ide0:1f2:w1");
  guest.rip = 0x401c5b;
  guest.out(0x1f2, 1);
  EXPECT_EQ(name(), "ide0:1f2:w1@user");
  guest.rip = 0xfff0, guest.cr3 = 0;  // a reset
  guest.out(0x1f2, 1);
  EXPECT_EQ(name(), "ide0:1f2:w1");
}

TEST_F(TokenizerTest, ThePrivilegeLevelDecidesWhereItIsKnown) {
  guest.out(0x1f2, 1);
  trace::set_cpl(guest.events.back(), 3);
  EXPECT_EQ(name(), "ide0:1f2:w1@user");
}

TEST_F(TokenizerTest, StringOperationsAreTheirOwn) {
  guest.in(0x1f0, 0, 2);
  trace::set_count(guest.events.back(), 256);
  EXPECT_EQ(name(), "ide0:1f0:r2*");
}

TEST_F(TokenizerTest, DoorbellsHaveNeitherSizeNorValue) {
  guest.store(0xfe003000, 0);
  trace::Event& e = guest.events.back();
  e.kind = trace::EventKind::fast_mmio, e.size = 0, e.value = 0, e.present = 0;
  EXPECT_EQ(name(), "unassigned:fe003000:w0!");
}

TEST_F(TokenizerTest, AnotherTokenizerGivesTheSameOperations) {
  guest.place_device(0x18, kE1000, 0, 0xfffe0000, 0xfeb80000).load(0xfeb80008).out(0x70, 1);
  Tokenizer other;
  for (const trace::Event& event : guest.events) {
    EXPECT_EQ(other.alphabet().size(), tokenizer.alphabet().size());
    Token a = tokenizer(event), b = other(event);
    EXPECT_EQ(tokenizer.alphabet().operation(a.symbol), other.alphabet().operation(b.symbol));
  }
}

TEST_F(TokenizerTest, NumberSequencesAreTakenAsTheyAre) {
  Tokenizer plain(Scheme::addresses);
  guest.out(0x70, 1).out(0x70, 2).out(0x71, 3);
  Symbol a = plain(guest.events[0]).symbol;
  EXPECT_EQ(plain(guest.events[1]).symbol, a);
  EXPECT_NE(plain(guest.events[2]).symbol, a);
}

TEST_F(TokenizerTest, AnAlphabetThatIsFullTakesNoMore) {
  for (std::uint64_t value = 0; value <= kMaxSymbols; ++value) guest.out(0x43, value, 4);
  EXPECT_EQ(last().symbol, kOverflow);
  EXPECT_EQ(tokenizer.alphabet().size(), kMaxSymbols);
}

TEST_F(TokenizerTest, WordsNameTheDeviceTheRegisterAndTheValue) {
  guest.in(0x3f4, 0x80).out(0x3f5, 0x8e);
  EXPECT_EQ(describe(tokenizer.alphabet().operation(last().symbol)),
            "floppy controller: write 0x8e to data FIFO (0x3f5)");
}

}  // namespace
}  // namespace iovm::model
