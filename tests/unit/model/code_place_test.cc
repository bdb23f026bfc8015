// SPDX-License-Identifier: Apache-2.0
#include "model/code_place.h"

#include <gtest/gtest.h>

namespace iovm::model {
namespace {

constexpr std::uint64_t kText = 0xffffffff81000000;
constexpr std::uint64_t kModule = 0xffffffffc0400000;

const DeviceType kFloppy = pc_device(PcDevice::floppy);
const DeviceType kClock = pc_device(PcDevice::cmos);

TEST(CodePlaceTest, OfKernelTextStaysWhereTheKernelIsMovedByItsSteps) {
  auto place = place_of(CodeClass::kernel, kText + 0x12d650c);
  ASSERT_TRUE(place);
  EXPECT_EQ(place->offset, 0x12d650cu % 0x200000);
  EXPECT_EQ(place_of(CodeClass::kernel, kText + 0x12d650c + 37 * 0x200000), place);
  EXPECT_NE(place_of(CodeClass::kernel, kText + 0x12d650c + 0x1000), place);
}

TEST(CodePlaceTest, OfAModuleStaysWhereItIsMovedByPages) {
  auto place = place_of(CodeClass::module, kModule + 0x34bc);
  ASSERT_TRUE(place);
  EXPECT_EQ(place->offset, 0x4bcu);
  EXPECT_EQ(place_of(CodeClass::module, kModule + 0x34bc + 77 * 0x1000), place);
  EXPECT_NE(place_of(CodeClass::other, kModule + 0x34bc), place);
}

TEST(CodePlaceTest, FirmwareUserSpaceAndUnrecordedCodeHaveNone) {
  for (CodeClass code : {CodeClass::firmware, CodeClass::user, CodeClass::unrecorded}) {
    EXPECT_FALSE(place_of(code, 0xf1234));
  }
}

TEST(CodePlaceTest, IsToldInWords) {
  EXPECT_EQ(describe({CodeClass::module, 0x4bc}), "module code at page offset 0x4bc");
  EXPECT_EQ(describe({CodeClass::kernel, 0x1d650c}), "kernel text at offset 0x1d650c of 2 MiB");
  EXPECT_EQ(describe({CodeClass::other, 0x10}),
            "code outside kernel text and modules at page offset 0x10");
}

TEST(CodePlaceTest, MemoryWindowsAreNotDrivenButScannedBusesAre) {
  Operation window{.device = pc_device(PcDevice::vga), .space = Space::memory, .reg = 0xa0000};
  EXPECT_TRUE(drives(window));
  window.set(Mark::merged);
  EXPECT_FALSE(drives(window));
  Operation scan{.device = pc_device(PcDevice::pci_config), .space = Space::config};
  scan.set(Mark::merged);
  EXPECT_TRUE(drives(scan));
}

TEST(PlacesTest, MergeByAddingTheirCounts) {
  Places a = {{kClock, {CodeClass::kernel, 5}, 1}, {kFloppy, {CodeClass::module, 7}, 2}};
  Places b = {{kFloppy, {CodeClass::kernel, 7}, 4}, {kFloppy, {CodeClass::module, 7}, 3}};
  Places sum = merged(a, b);
  ASSERT_EQ(sum.size(), 3u);
  EXPECT_EQ(sum[2].count, 5u);
  EXPECT_EQ(merged(b, a), sum);
  EXPECT_EQ(places_of(sum, kFloppy).size(), 2u);
  EXPECT_TRUE(contains(sum, kFloppy, {CodeClass::kernel, 7}));
  EXPECT_FALSE(contains(sum, kClock, {CodeClass::kernel, 7}));
  EXPECT_FALSE(knows(sum, pc_device(PcDevice::pit)));
}

TEST(PlacesTest, TheTextTellsTheKernelWhereThereIsAny) {
  Places linux = {{kClock, {CodeClass::kernel, 5}, 1}, {kFloppy, {CodeClass::module, 7}, 2}};
  EXPECT_TRUE(tells_the_kernel(linux, CodeClass::kernel));
  EXPECT_FALSE(tells_the_kernel(linux, CodeClass::module));
  Places another = {{kClock, {CodeClass::other, 5}, 1}};
  EXPECT_TRUE(tells_the_kernel(another, CodeClass::other));
}

}  // namespace
}  // namespace iovm::model
