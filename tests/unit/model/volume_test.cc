// SPDX-License-Identifier: Apache-2.0
#include "model/volume.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "model/tokenizer.h"
#include "model/volume_watch.h"
#include "unit/model/events.h"

namespace iovm::model {
namespace {

constexpr std::uint64_t kSecondNs = 1'000'000'000;
const StretchKind kDisk{pc_device(PcDevice::ide_primary), Whose::device};

Amounts accesses(std::uint64_t amount) {
  return {amount, 0, 0, 0, 0, 0};
}

TEST(VolumeTest, EveryAmountLiesInItsStepAndStepsFollowEachOther) {
  for (std::uint64_t amount : {0, 1, 7, 8, 9, 15, 16, 17, 100, 1000, 123456, 1 << 30}) {
    std::uint8_t step = step_of(amount);
    EXPECT_LE(amount, most_of(step));
    EXPECT_LE(static_cast<double>(most_of(step)), static_cast<double>(amount) * 1.125) << amount;
    if (step > 0) {
      EXPECT_GT(amount, most_of(static_cast<std::uint8_t>(step - 1)));
    }
  }
  EXPECT_EQ(step_of(~std::uint64_t{0}), 255);
}

TEST(VolumeTest, RowsMergeToThoseOfCountingAtOnce) {
  VolumeCounter a, b, both;
  for (std::uint64_t i = 0; i < 100; ++i) {
    (i % 3 == 0 ? a : b).add(kDisk, accesses(i * i));
    both.add(kDisk, accesses(i * i));
  }
  EXPECT_EQ(merged(a.volumes(), b.volumes()), both.volumes());
  EXPECT_EQ(merged(a.volumes(), {}), a.volumes());
}

TEST(VolumeTest, TheNormIsTheLargestOfFewAndLeavesOutTheFewLargestOfMany) {
  VolumeCounter few, many;
  for (int i = 0; i < 20; ++i) few.add(kDisk, accesses(i == 0 ? 5000 : 100));
  for (int i = 0; i < 1000; ++i) many.add(kDisk, accesses(i < 10 ? 5000 : 100));
  EXPECT_GE((*VolumeNorm(few.volumes()).most(kDisk))[0], 5000u);
  EXPECT_LE((*VolumeNorm(many.volumes()).most(kDisk))[0], 112u);
  EXPECT_EQ(VolumeNorm({}).most(kDisk), nullptr);
}

TEST(VolumeTest, ALimitIsTheLeastAmountWithThatExcess) {
  for (std::uint64_t most : {0, 10, 1000}) {
    std::uint64_t least = limit(Quantity::accesses, most, 2);
    EXPECT_GT(excess(Quantity::accesses, least, most), 2);
    EXPECT_LE(excess(Quantity::accesses, least - 1, most), 2);
  }
  EXPECT_EQ(excess(Quantity::accesses, 3, 4), 0);
}

TEST(VolumeTest, ItsScaleIsThatOfWindowsAndBack) {
  EXPECT_NEAR(volume_excess(volume_bits(1.5, 20 * kOneBit), 20 * kOneBit), 1.5, 1e-4);
  EXPECT_NEAR(volume_bits(kLoudest, 20 * kOneBit), kHighestShare * 20 * kOneBit, 2);
}

class VolumeWatchTest : public testing::Test {
 protected:
  // Stretches of what the guest did, those of everybody or those of actors.
  std::vector<Stretch> stretches(Whose whose) {
    std::vector<Stretch> all, out;
    VolumeWatch watch(nullptr, &all);
    Tokenizer tokenizer;
    std::uint64_t number = 0;
    for (const trace::Event& event : guest.events) {
      if (event.kind == trace::EventKind::loss) {
        watch.lost(event);
      } else {
        watch.see(event, number, tokenizer(event).device, tokenizer.devices());
      }
      ++number;
    }
    watch.finish();
    std::ranges::copy_if(all, std::back_inserter(out),
                         [&](const Stretch& s) { return s.kind.whose == whose; });
    return out;
  }
  // READ or WRITE DMA.
  void command(bool write, std::uint32_t first, std::uint8_t sectors) {
    guest.out(0x1f6, 0xe0 | first >> 24).out(0x1f2, sectors).out(0x1f3, first & 0xff);
    guest.out(0x1f4, first >> 8 & 0xff).out(0x1f5, first >> 16 & 0xff);
    guest.out(0x1f7, write ? 0xca : 0xc8);
  }

  TestGuest guest;
};

TEST_F(VolumeWatchTest, AStretchIsAMinuteFromItsFirstAccess) {
  guest.out(0x1f7, 0xe7).pause(59 * kSecondNs).in(0x1f7);
  guest.pause(2 * kSecondNs).in(0x1f7);
  auto got = stretches(Whose::device);
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(got[0][Quantity::accesses], 2u);
  EXPECT_EQ(got[0][Quantity::writes], 1u);
  EXPECT_EQ(got[1].first_event, 2u);
}

TEST_F(VolumeWatchTest, ActorsAreProcessesOrAddressSpacesOrNobody) {
  guest.in(0x1f7);
  guest.rip = 0xffffffff81000000;
  guest.cr3 = 0x5000;
  guest.in(0x1f7);
  guest.cr3 = 0x5003;  // the same page table
  guest.in(0x1f7);
  guest.process = 0;
  guest.in(0x1f7);
  auto got = stretches(Whose::actor);
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(got[0][Quantity::accesses], 2u);
  EXPECT_EQ(got[1][Quantity::accesses], 1u);
  EXPECT_EQ(stretches(Whose::device).front()[Quantity::accesses], 4u);
}

TEST_F(VolumeWatchTest, DiskCommandsHaveSectorsAndRegions) {
  command(false, 0, 8);
  command(false, 1 << 20, 0);  // 0 is 256
  command(true, 2 << 20, 16);
  Stretch got = stretches(Whose::device).front();
  EXPECT_EQ(got[Quantity::sectors_read], 264u);
  EXPECT_EQ(got[Quantity::sectors_written], 16u);
  EXPECT_EQ(got[Quantity::regions], 3u);
  EXPECT_EQ(got[Quantity::rewrites], 0u);
}

TEST_F(VolumeWatchTest, CommandsOf48BitsTakeTheirRegistersTwice) {
  guest.out(0x1f6, 0xe0).out(0x1f2, 1).out(0x1f2, 0);
  for (std::uint64_t port : {0x1f3, 0x1f4, 0x1f5}) guest.out(port, 1).out(port, 2);
  guest.out(0x1f7, 0x25);
  EXPECT_EQ(stretches(Whose::device).front()[Quantity::sectors_read], 256u);
}

TEST_F(VolumeWatchTest, ARewriteIsAWriteOverWhatTheSameActorRead) {
  guest.process = 0;
  command(false, 1000, 8);
  command(true, 1004, 2);
  command(true, 1008, 8);
  guest.process = 1;
  command(true, 1000, 8);
  auto own = stretches(Whose::actor);
  ASSERT_EQ(own.size(), 2u);
  EXPECT_EQ(own[0][Quantity::rewrites], 1u);
  EXPECT_EQ(own[1][Quantity::rewrites], 0u);
  EXPECT_EQ(stretches(Whose::device).front()[Quantity::rewrites], 2u);
}

TEST_F(VolumeWatchTest, AfterALossTheRegistersAreNotKnown) {
  command(false, 1000, 8);
  guest.out(0x1f2, 8).lose().out(0x1f7, 0xc8);
  EXPECT_EQ(stretches(Whose::device).front()[Quantity::sectors_read], 8u + 256u);
}

TEST_F(VolumeWatchTest, TheOldestActorsGiveWayAndNoneIsCountedTwice) {
  constexpr std::uint64_t kActors = 3 * VolumeWatch::kMaxActorStretches;
  guest.rip = 0xffffffff81000000;
  for (std::uint64_t i = 1; i <= kActors; ++i) {
    guest.cr3 = i << 12;
    guest.in(0x1f7);
  }
  EXPECT_EQ(stretches(Whose::actor).size(), kActors);
}

TEST_F(VolumeWatchTest, ALimitIsPassedOnceAndLoudUntilTheNextQuietMinuteIsOver) {
  VolumeCounter counter;
  counter.add(kDisk, accesses(0));
  counter.add(kDisk, accesses(8));
  VolumeLimits limits(VolumeNorm(counter.volumes()), 1);
  VolumeWatch watch(&limits);
  Tokenizer tokenizer;
  int passed = 0;
  auto see = [&] {
    const trace::Event& event = guest.events.back();
    auto sight =
        watch.see(event, guest.events.size(), tokenizer(event).device, tokenizer.devices());
    passed += sight.passed != nullptr ? 1 : 0;
    return sight.loud;
  };
  for (int i = 0; i < 100; ++i) {
    guest.in(0x1f7);
    see();
  }
  EXPECT_EQ(passed, 1);
  guest.pause(60 * kSecondNs).in(0x1f7);
  EXPECT_FALSE(see()) << "a minute of silence is between them";
}

// What waits beside the stretches must come to the same as counting each access by itself.
TEST_F(VolumeWatchTest, CountsAsCountingOneByOneDoes) {
  std::mt19937 random(3);
  guest.rip = 0xffffffff81000000;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::array<std::uint64_t, 4>> open;
  std::vector<std::array<std::uint64_t, 4>> expected;  // first event, accesses, writes, last time
  for (std::uint64_t i = 0; i < 20000; ++i) {
    if (random() % 10 == 0) guest.cr3 = (1 + random() % 3) << 12;
    std::uint64_t port = random() % 3 == 0 ? 0x70 : 0x1f0 + random() % 8;
    if (random() % 2 == 0) {
      guest.out(port, random() & 0xff);
    } else {
      guest.in(port);
    }
    guest.pause(random() % 50 * 1'000'000);
    const trace::Event& event = guest.events.back();
    auto [it, fresh] = open.try_emplace({guest.cr3, port == 0x70});
    auto& [first, accesses, writes, last] = it->second;
    if (fresh || event.time >= guest.events[first].time + kStretchNs) {
      if (!fresh) expected.push_back(it->second);
      it->second = {i, 0, 0, 0};
    }
    ++accesses;
    writes += event.direction == trace::Direction::write ? 1 : 0;
    last = event.time;
  }
  for (const auto& [key, stretch] : open) expected.push_back(stretch);
  std::vector<std::array<std::uint64_t, 4>> got;
  for (Stretch& s : stretches(Whose::actor)) {
    got.push_back({s.first_event, s[Quantity::accesses], s[Quantity::writes], s.last_time});
  }
  EXPECT_THAT(got, testing::UnorderedElementsAreArray(expected));
}

TEST_F(VolumeWatchTest, ALimitIsPassedAtTheAccessThatReachesIt) {
  VolumeCounter counter;
  counter.add(kDisk, {100, 40, 0, 0, 0, 0});
  VolumeLimits limits(VolumeNorm(counter.volumes()), 1);
  std::uint64_t most = (*limits.of(kDisk))[static_cast<std::size_t>(Quantity::writes)];
  VolumeWatch watch(&limits);
  Tokenizer tokenizer;
  for (std::uint64_t i = 1; i <= most; ++i) {
    guest.out(0x1f0, 1);
    const trace::Event& event = guest.events.back();
    auto sight = watch.see(event, i, tokenizer(event).device, tokenizer.devices());
    EXPECT_EQ(sight.passed != nullptr, i == most) << i;
    EXPECT_EQ(sight.loud, i == most) << i;
  }
}

}  // namespace
}  // namespace iovm::model
