// SPDX-License-Identifier: Apache-2.0
//
// The tables in a guest's memory by themselves: types, the clock, and the VMM's mappings.
#include <gmock/gmock.h>

#include "record/guest_btf.h"
#include "record/guest_clock.h"
#include "record/guest_ram.h"
#include "unit/record/synthetic_btf.h"

namespace iovm::record {
namespace {

using testing::ElementsAre;
constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint64_t kGiB = 1 << 30;

Bytes some_types() {
  BtfBuilder btf;
  btf.structure("small", 16, {{"a", 0}, {"b", 8}});
  btf.structure("task_struct", 64, {{"pid", 24}, {"pid_links", 32}});
  return btf.blob();
}

TEST(GuestBtf, AnOffsetIsThatOfTheWholeName) {
  auto btf = Btf::parse(some_types());
  ASSERT_TRUE(btf) << btf.error().message();
  EXPECT_EQ(btf->offset_of("task_struct", "pid"), 24u);
  EXPECT_EQ(btf->offset_of("task_struct", "pid_links"), 32u);
  EXPECT_FALSE(btf->offset_of("task_struct", "pi"));
  EXPECT_FALSE(btf->offset_of("task", "pid"));
}

TEST(GuestBtf, EveryCutAndEveryFlipIsAnErrorOrAnAnswer) {
  Bytes whole = some_types();
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(
        Btf::parse(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size))));
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      Bytes bent = whole;
      bent[at] ^= static_cast<std::byte>(1 << bit);
      auto btf = Btf::parse(bent);
      if (btf) static_cast<void>(btf->offset_of("task_struct", "pid"));
    }
  }
}

TEST(GuestBtf, AStructureInsideItselfEnds) {
  Bytes blob = some_types();
  // The first member of "small" (type 2) gets no name and its own structure as type.
  std::size_t member = 24 + 16 + 12;
  std::memset(blob.data() + member, 0, 4);
  std::uint32_t itself = 2;
  std::memcpy(blob.data() + member + 4, &itself, 4);
  auto btf = Btf::parse(blob);
  ASSERT_TRUE(btf);
  EXPECT_FALSE(btf->offset_of("small", "nothing"));
}

TEST(GuestClock, TheLeastDifferenceOfTheLastSecondsIsTheOffset) {
  GuestClock clock;
  EXPECT_FALSE(clock.host_time_by(5));
  clock.sample(1000, 100);
  clock.sample(2000, 1090);
  clock.sample(3000, 2050);
  EXPECT_EQ(clock.host_time_by(500), 500u + 900u);
  clock.sample(3000 + GuestClock::kMemory, 2000 + GuestClock::kMemory);  // the VM was paused
  EXPECT_EQ(clock.host_time_by(500), 500u + 950u);
  clock.sample(~std::uint64_t{0}, 0);  // nonsense is passed over
  EXPECT_FALSE(clock.host_time_by(~std::uint64_t{0}));
}

TEST(GuestRam, TheMappingOfTheVmsSizeComesFirst) {
  auto found = find_ram(
      "7f0000000000-7f0080000000 rw-p 00000000 00:00 0 \n"
      "7f1000000000-7f1010000000 rw-p 00000000 00:00 0 \n"
      "7f2000000000-7f2010000000 r--p 00000000 00:00 0 \n"
      "7f3000000000-7f3010000000 rw-p 00000000 08:01 7 /usr/lib/libc.so\n"
      "7f4000000000-7f4000100000 rw-p 00000000 00:00 0 \n"
      "garbage\n7f5000000000-7f4fffffffff rw-p 0 0 0\n",
      256 * kMiB);
  EXPECT_THAT(found, ElementsAre(RamMapping{0x7f1000000000, 256 * kMiB},
                                 RamMapping{0x7f0000000000, 2 * kGiB}));
}

TEST(GuestRam, WhatDoesNotFitBelowTheHoleGoesOnAtFourGiB) {
  RamMapping ram{0x7f0000000000, 4 * kGiB};
  auto layouts = layouts_of(ram, {ram});
  ASSERT_FALSE(layouts.empty());
  const auto& slots = layouts.front().slots;
  EXPECT_EQ(slots.hva_of(3 * kGiB - 1, 1), ram.start + 3 * kGiB - 1);
  EXPECT_FALSE(slots.hva_of(3 * kGiB, 1));
  EXPECT_EQ(slots.hva_of(4 * kGiB, 1), ram.start + 3 * kGiB);
  EXPECT_FALSE(slots.hva_of(3 * kGiB - 1, 2));
  EXPECT_EQ(slots.gpa_of(ram.start + 3 * kGiB), 4 * kGiB);
}

}  // namespace
}  // namespace iovm::record
