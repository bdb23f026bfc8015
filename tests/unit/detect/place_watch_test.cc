// SPDX-License-Identifier: Apache-2.0
#include "detect/place_watch.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "unit/model/events.h"

namespace iovm::detect {
namespace {

using Sight = PlaceWatch::Sight;

constexpr std::uint64_t kText = 0xffffffff81000000;
constexpr std::uint64_t kModule = 0xffffffffc0400000;
constexpr std::uint64_t kSlide = 0x200000;
const model::DeviceType kFloppy = model::pc_device(model::PcDevice::floppy);

// Training: the kernel reads the clock from 20 places, a module drives the floppy controller from
// two.
class PlaceWatchTest : public testing::Test {
 protected:
  PlaceWatchTest() { guest.cr3 = 0x1000; }

  static model::ModelData trained() {
    model::ModelData out;
    for (std::uint32_t i = 0; i < 20; ++i) {
      out.places.push_back({model::pc_device(model::PcDevice::cmos),
                            {model::CodeClass::kernel, 0x1000 + i * 0x10},
                            9});
    }
    for (std::uint32_t offset : {0x4bc, 0x4c5}) {
      out.places.push_back({kFloppy, {model::CodeClass::module, offset}, 7});
    }
    std::ranges::sort(out.places);
    return out;
  }
  // One access from there.
  Sight see(std::uint64_t rip, std::uint64_t port) {
    guest.rip = rip;
    guest.in(port);
    model::Token token = tokenizer(guest.events.back());
    return watch.see(guest.events.back(), token, tokenizer.alphabet());
  }
  Sight clock(std::uint64_t rip) { return see(rip, 0x71); }
  Sight floppy(std::uint64_t rip) { return see(rip, 0x3f4); }
  // So many of the known places of the kernel, wherever it lies.
  void work(std::uint32_t places, std::uint64_t slide = 0) {
    for (std::uint32_t i = 0; i < places; ++i) {
      EXPECT_EQ(clock(kText + slide + 0x1000 + i * 0x10), Sight::usual);
    }
  }
  void reset() {
    guest.cr3 = 0;
    see(0xf1234, 0x71);
    guest.cr3 = 0x1000;
  }

  model::ModelData data = trained();
  TestGuest guest;
  model::Tokenizer tokenizer;
  PlaceWatch watch{data};
};

TEST_F(PlaceWatchTest, KnownPlacesAreUsualWhereverKernelAndModuleLie) {
  work(20, 13 * kSlide);
  EXPECT_EQ(floppy(kModule + 0x4bc), Sight::usual);
  EXPECT_EQ(floppy(kModule + 0x7000 + 0x4c5), Sight::usual);
  EXPECT_TRUE(watch.believes(0));
}

TEST_F(PlaceWatchTest, AnotherPlaceOfAModuleIsStrangeEachTime) {
  work(3);
  EXPECT_EQ(floppy(kModule + 0x9000 + 0x123), Sight::strange);
  EXPECT_EQ(floppy(kModule + 0x4bc), Sight::usual);
  EXPECT_EQ(floppy(kModule + 0x9000 + 0x123), Sight::strange);
  EXPECT_EQ(floppy(kText + 0x4bc), Sight::strange);  // the same offset in the kernel is another
}

TEST_F(PlaceWatchTest, DevicesThatTrainingNeverSawDrivenFromAnywhereSayNothing) {
  work(3);
  EXPECT_EQ(see(kModule + 0x123, 0x3f8), Sight::usual);
}

TEST_F(PlaceWatchTest, CodeWithoutAPlaceSaysNothing) {
  work(3);
  EXPECT_EQ(floppy(0x401000), Sight::usual);
  EXPECT_EQ(floppy(0), Sight::usual);
}

TEST_F(PlaceWatchTest, AModelWithoutPlacesSaysNothing) {
  data.places.clear();
  PlaceWatch blind(data);
  guest.rip = kModule + 0x123;
  guest.in(0x3f4);
  model::Token token = tokenizer(guest.events.back());
  EXPECT_EQ(blind.see(guest.events.back(), token, tokenizer.alphabet()), Sight::usual);
  EXPECT_FALSE(blind.believes(0));
}

TEST_F(PlaceWatchTest, NothingIsBelievedBeforeTheKernelIsKnown) {
  EXPECT_EQ(floppy(kModule + 0x123), Sight::strange);
  EXPECT_FALSE(watch.believes(0));
  work(1);
  EXPECT_TRUE(watch.believes(0));
}

TEST_F(PlaceWatchTest, AnotherKernelIsToldOnceInABootAndThenNothing) {
  int told = 0;
  for (int boot = 0; boot < 2; ++boot) {
    for (std::uint64_t i = 0; i < 200; ++i) {
      told += clock(kText + 0x88001 + i * 0x10) == Sight::other_kernel ? 1 : 0;
      EXPECT_FALSE(watch.believes(0));
    }
    EXPECT_EQ(told, boot + 1);
    EXPECT_EQ(floppy(kModule + 0x123), Sight::usual);
    reset();
  }
}

TEST_F(PlaceWatchTest, AKernelThatIsKnownStaysSoWhateverAModuleDoes) {
  work(2);
  for (std::uint64_t i = 0; i < 500; ++i) {
    EXPECT_NE(floppy(kModule + 0x600 + i), Sight::other_kernel);
  }
  EXPECT_TRUE(watch.believes(0));
}

TEST_F(PlaceWatchTest, WhatWasToldIsNotToldAgainBeforeTheNextBoot) {
  work(3);
  EXPECT_EQ(floppy(kModule + 0x123), Sight::strange);
  watch.told(0, kFloppy);
  EXPECT_EQ(floppy(kModule + 0x123), Sight::usual);
  EXPECT_EQ(floppy(kModule + 0x124), Sight::strange);
  reset();
  work(3, kSlide);
  EXPECT_EQ(floppy(kModule + 0x123), Sight::strange);
}

TEST_F(PlaceWatchTest, AlarmsOfManyDevicesEndWithOneForTheKernel) {
  work(3);
  for (std::uint16_t i = 0; i < PlaceWatch::kMostDevices; ++i) {
    watch.told(0, {model::Bus::pci, 0x1234, i});
  }
  EXPECT_EQ(floppy(kModule + 0x123), Sight::other_kernel);
  EXPECT_EQ(floppy(kModule + 0x124), Sight::usual);
  EXPECT_EQ(watch.seen(0).devices, PlaceWatch::kMostDevices);
}

TEST_F(PlaceWatchTest, VmsOfOneRecordingAreToldApart) {
  work(3);
  guest.vm = 1;
  EXPECT_EQ(floppy(kModule + 0x123), Sight::strange);
  EXPECT_FALSE(watch.believes(1));
  watch.told(1, kFloppy);
  guest.vm = 0;
  EXPECT_EQ(floppy(kModule + 0x123), Sight::strange);
}

// A guest that jumps about does not fill the memory of the host.
TEST_F(PlaceWatchTest, PlacesBeyondTheBoundAreStrangeAndNotCounted) {
  work(20);
  for (std::uint64_t i = 0; i < 2 * PlaceWatch::kMaxSeen; ++i) {
    std::uint64_t rip = i % 2 == 0 ? kModule + i / 2 % 0x1000 : kText + 0x100000 + i;
    floppy(rip);
  }
  EXPECT_LE(watch.seen(0).strange, PlaceWatch::kMaxSeen);
}

}  // namespace
}  // namespace iovm::detect
