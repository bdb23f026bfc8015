// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>

#include "model/model_file.h"
#include "train/calibration.h"
#include "train/counter.h"
#include "train/threshold.h"
#include "train/trainer.h"
#include "unit/model/events.h"

namespace iovm::train {
namespace {

using model::kFirstSymbol;
using model::kNoSymbol;
using model::Symbol;

TEST(CounterTest, CountsWhatCountingOneByOneCounts) {
  std::mt19937 random(1);
  std::vector<Symbol> stream;
  for (int i = 0; i < 5000; ++i) stream.push_back(kFirstSymbol + static_cast<Symbol>(random() % 7));
  Counter counter(3);
  std::map<std::vector<Symbol>, std::uint64_t> expected;
  Counter::Context context = Counter::kStart;
  for (std::size_t i = 0; i < stream.size(); ++i) {
    context = counter.add(context, stream[i]);
    std::vector<Symbol> gram(4, kNoSymbol);
    for (std::size_t back = 0; back < 4 && back <= i; ++back) gram[3 - back] = stream[i - back];
    ++expected[gram];
  }
  model::Ngrams got = counter.ngrams();
  ASSERT_EQ(got.size(), expected.size());
  std::size_t at = 0;
  for (const auto& [gram, count] : expected) {
    EXPECT_TRUE(std::ranges::equal(got.at(at), gram));
    EXPECT_EQ(got.counts[at++], count);
  }
}

TEST(CounterTest, CountsNoNewSequencesBeyondItsBound) {
  Counter counter(1, 10);
  Counter::Context context = Counter::kStart;
  for (Symbol s = 0; s < 100; ++s) context = counter.add(context, kFirstSymbol + s);
  EXPECT_EQ(counter.ngrams().size(), 10u);
  EXPECT_EQ(counter.left_out(), 90u);
}

// Work as a disk and a clock do it, a little different with each seed.
std::vector<trace::Event> work(unsigned seed, int rounds = 40) {
  std::mt19937 random(seed);
  TestGuest guest;
  for (int i = 0; i < rounds; ++i) {
    guest.out(0x1f2, random() & 0xff).out(0x1f3, random() & 0xff).out(0x1f6, 0xe0);
    guest.out(0x1f7, random() % 4 == 0 ? 0xca : 0xc8).in(0x1f7, 0x58);
    if (random() % 3 == 0) guest.out(0x70, 0x0a).in(0x71, 0x26);
  }
  return guest.events;
}

class TrainerTest : public testing::Test {
 protected:
  static trace::VectorSource source(std::vector<trace::Event> events, std::uint8_t id = 0) {
    trace::Context context;
    context.info.id[0] = id;
    context.info.utc_offset_ns = id;  // the order of recordings
    return {context, std::move(events)};
  }
  static model::ModelData train(const std::vector<unsigned>& seeds) {
    Trainer trainer({}, {});
    for (unsigned seed : seeds) {
      auto recording = source(work(seed), static_cast<std::uint8_t>(seed));
      EXPECT_TRUE(trainer.add(recording));
    }
    return trainer.finish()->data;
  }
};

TEST_F(TrainerTest, MergingModelsIsTrainingOnAllBitForBit) {
  model::ModelData all = train({1, 2, 3});
  model::ModelData sum = *merge(*merge(train({1}), train({2})), train({3}));
  sum.calibration = all.calibration;
  sum.threshold = all.threshold;
  EXPECT_EQ(encode_model(sum), encode_model(all));
}

TEST_F(TrainerTest, TheOrderOfRecordingsOnTheCommandLineDoesNotMatter) {
  EXPECT_EQ(encode_model(train({1, 2, 3})), encode_model(train({3, 1, 2})));
}

TEST_F(TrainerTest, CountsEveryEventOnce) {
  model::ModelData data = train({1, 2});
  std::uint64_t total = 0;
  for (std::uint64_t count : data.ngrams.counts) total += count;
  EXPECT_EQ(total, work(1).size() + work(2).size());
  EXPECT_EQ(data.origins.size(), 2u);
}

TEST_F(TrainerTest, NoSequenceIsJoinedAcrossALoss) {
  TestGuest guest;
  guest.out(0x60, 1).lose().in(0x60, 1);
  Trainer trainer({}, {});
  auto recording = source(guest.events);
  ASSERT_TRUE(trainer.add(recording));
  auto training = trainer.finish();
  ASSERT_TRUE(training);
  EXPECT_EQ(training->lost.all(), 1u);
  for (std::size_t i = 0; i < training->data.ngrams.size(); ++i) {
    EXPECT_EQ(training->data.ngrams.at(i)[4], kNoSymbol);  // one symbol each, nothing before it
  }
}

TEST_F(TrainerTest, NothingToTrainOnIsAnError) {
  Trainer trainer({}, {});
  auto recording = source({});
  ASSERT_TRUE(trainer.add(recording));
  auto training = trainer.finish();
  ASSERT_FALSE(training);
  EXPECT_EQ(training.error().fault(), Fault::input);
}

TEST_F(TrainerTest, TheLatestThirdIsHeldOut) {
  model::ModelData data = train({1, 2, 3, 4, 5, 6});
  EXPECT_EQ(data.calibration.sessions, 2u);
  EXPECT_EQ(data.calibration.events, work(5).size() + work(6).size());
  EXPECT_EQ(train({1}).calibration.events, work(1).size() / 3);
}

TEST_F(TrainerTest, ManyRecordingsAreCountedLikeFew) {
  std::vector<unsigned> seeds;
  for (unsigned i = 0; i < 80; ++i) seeds.push_back(i);
  model::ModelData data = train(seeds);
  EXPECT_EQ(data.origins.size(), 80u);
  std::uint64_t total = 0, expected = 0;
  for (std::uint64_t count : data.ngrams.counts) total += count;
  for (unsigned seed : seeds) expected += work(seed).size();
  EXPECT_EQ(total, expected);
}

class ThresholdTest : public testing::Test {
 protected:
  static constexpr model::Bits kUnknown = 60 * model::kOneBit;
  static constexpr std::uint64_t kDay = 86400ULL * 1000000000;

  // A hundred blocks of 0.1, 0.2, ... 10.0 bits; thresholds are between 9 and 24.
  static model::Calibration days(std::uint64_t n) {
    model::Calibration c{
        .events = 20000, .duration_ns = n * kDay, .sessions = 1, .blocks = 100, .largest = {}};
    for (unsigned i = 100; i > 0; --i) c.largest.push_back(i * model::kOneBit / 10);
    return c;
  }
};

TEST_F(ThresholdTest, OneADayNeedsThreeDays) {
  EXPECT_NEAR(needed({}) / kDay, 2.996, 0.001);
  EXPECT_FALSE(choose_threshold(days(2), {}, kUnknown).supported);
  EXPECT_TRUE(choose_threshold(days(4), {}, kUnknown).supported);
}

TEST_F(ThresholdTest, EnoughDataAllowAsManyAlarmsAsPromised) {
  // Eleven days at one a day allow five alarms: 10.51 <= 11 < 11.84.
  model::Threshold t = choose_threshold(days(11), {}, kUnknown);
  EXPECT_EQ(alarms_at(days(11), t), 5u);
  EXPECT_LE(t.expected, 1);
}

TEST_F(ThresholdTest, TooFewDataSetItAboveAllThatWasSeen) {
  model::Threshold t = choose_threshold(days(2), {}, kUnknown);
  EXPECT_GT(t.value, 10 * model::kOneBit);
  EXPECT_EQ(alarms_at(days(2), t), 0u);
  EXPECT_GT(t.expected, 1);
}

TEST_F(ThresholdTest, FewerDataSetItHigherButNotAboveTheUnknown) {
  model::Calibration little = days(1);
  little.duration_ns = 1000000000;
  model::Threshold t = choose_threshold(little, {}, kUnknown);
  EXPECT_GT(t.value, choose_threshold(days(2), {}, kUnknown).value);
  little.largest.front() = 2 * kUnknown;
  EXPECT_LT(choose_threshold(little, {}, kUnknown).value, kUnknown / 2);
}

TEST_F(ThresholdTest, NoDataAtAllStillGiveAThreshold) {
  model::Threshold t = choose_threshold({}, {}, kUnknown);
  EXPECT_GT(t.value, 0u);
  EXPECT_LT(t.value, kUnknown);
  EXPECT_FALSE(t.supported);
}

TEST_F(ThresholdTest, APromiseInEventsCountsEvents) {
  model::Promise promise = *model::parse_promise("3/20K");
  EXPECT_TRUE(choose_threshold(days(0), promise, kUnknown).supported);
  promise = *model::parse_promise("2/20K");
  EXPECT_FALSE(choose_threshold(days(0), promise, kUnknown).supported);
}

TEST_F(TrainerTest, SessionsAreSetsOfOperationsAndMergeAsTrainingDoes) {
  model::ModelData all = train({1, 2, 3, 4}), a = train({1, 2}), b = train({3, 4});
  EXPECT_FALSE(all.sets.empty());
  EXPECT_EQ(model::merge(a, b)->sets, all.sets);
  EXPECT_EQ(all.calibration.scores.size(), 2u * 2u);  // two held out, a disk and a clock
}

TEST_F(TrainerTest, NothingIsLearnedFromRecordingsForCalibration) {
  Trainer trainer({}, {});
  for (unsigned seed : {1u, 2u}) {
    auto recording = source(work(seed), static_cast<std::uint8_t>(seed));
    ASSERT_TRUE(trainer.add(recording));
  }
  std::vector<trace::Event> other = work(3);
  TestGuest guest;
  guest.out(0x3f5, 0x8e);
  other.insert(other.end(), guest.events.begin(), guest.events.end());
  auto held = source(other, 3);
  ASSERT_TRUE(trainer.add(held, Trainer::Use::calibrate));
  model::ModelData got = trainer.finish()->data, plain = train({1, 2});
  EXPECT_EQ(got.alphabet, plain.alphabet);
  EXPECT_EQ(got.ngrams, plain.ngrams);
  EXPECT_EQ(got.sets, plain.sets);
  EXPECT_EQ(got.origins, plain.origins);
  EXPECT_EQ(got.calibration.sessions, 1u);
  EXPECT_GT(got.calibration.unseen[1], 0u);
}

TEST_F(TrainerTest, ARecordingThatIsNotToBeLearnedFromLeavesNoTrace) {
  Trainer trainer({}, {});
  std::vector<trace::Event> scan = work(3);
  TestGuest guest;
  for (std::uint64_t port = 0x400; port < 0x600; ++port) guest.in(port, 0xff);
  scan.insert(scan.end(), guest.events.begin(), guest.events.end());
  for (unsigned seed : {1u, 3u, 2u}) {
    auto recording = source(seed == 3 ? scan : work(seed), static_cast<std::uint8_t>(seed));
    ASSERT_TRUE(trainer.add(recording, Trainer::Use::learn, [seed] { return seed != 3; }));
  }
  EXPECT_EQ(encode_model(trainer.finish()->data), encode_model(train({1, 2})));
}

TEST_F(TrainerTest, TellsWhichRecordingIsUnlikeTheOthers) {
  std::vector<trace::Event> odd = work(2);
  TestGuest guest;
  for (int i = 0; i < 40; ++i) guest.out(0x1f7, 0xb0).out(0x1f6, 0xe0).out(0x1f2, 1);
  odd.insert(odd.begin() + 100, guest.events.begin(), guest.events.end());
  Trainer trainer({}, {});
  for (unsigned seed : {3u, 2u, 1u}) {
    auto recording = source(seed == 2 ? odd : work(seed), static_cast<std::uint8_t>(seed));
    ASSERT_TRUE(trainer.add(recording));
  }
  auto training = trainer.finish();
  ASSERT_TRUE(training);
  ASSERT_EQ(training->unlike.size(), 1u);
  const Unlike& unlike = training->unlike[0];
  EXPECT_EQ(unlike.recording, 1u);
  EXPECT_GT(unlike.alarms, 0u);
  EXPECT_GT(unlike.largest, training->data.threshold.value);
  EXPECT_EQ(unlike.device, model::pc_device(model::PcDevice::ide_primary));
}

TEST_F(TrainerTest, WithNothingInTheOthersNoRecordingIsUnlikeThem) {
  Trainer trainer({}, {});
  TestGuest lossy;
  lossy.lose();
  auto recording = source(work(1), 1), nothing = source(lossy.events, 2);
  ASSERT_TRUE(trainer.add(recording));
  ASSERT_TRUE(trainer.add(nothing));
  auto training = trainer.finish();
  ASSERT_TRUE(training);
  EXPECT_TRUE(training->unlike.empty());
}

TEST_F(TrainerTest, ChoosesTheOrderByTheNumberOfSymbols) {
  for (int rounds : {40, 200000}) {
    Trainer trainer({}, {});
    trainer.choose_order();
    auto recording = source(work(1, rounds));
    ASSERT_TRUE(trainer.add(recording));
    model::ModelData data = trainer.finish()->data;
    EXPECT_EQ(data.options.order, rounds == 40 ? 5u : model::kLongOrder);
    Trainer plain(data.options, {});
    auto again = source(work(1, rounds));
    ASSERT_TRUE(plain.add(again));
    EXPECT_EQ(plain.finish()->data, data);
  }
}

// Of 99 held-out sessions the highest may be an alarm at 1 %, none at less.
TEST(SessionPromiseTest, IsSplitConformal) {
  model::Calibration c;
  for (int i = 99; i > 0; --i) c.scores.push_back(i);
  model::Promise promise{0.01, 1, model::Promise::Unit::sessions};
  model::Threshold t = choose_threshold(c, promise, model::kOneBit);
  EXPECT_TRUE(t.supported);
  EXPECT_EQ(t.session, 99);
  promise.alarms = 0.05;
  EXPECT_EQ(choose_threshold(c, promise, model::kOneBit).session, 95);
  promise.alarms = 0.009;
  t = choose_threshold(c, promise, model::kOneBit);
  EXPECT_FALSE(t.supported);
  EXPECT_TRUE(std::isinf(t.session));
  EXPECT_EQ(needed(promise), 111);
}

// Work whose accesses come from these addresses, by port.
std::vector<trace::Event> by_code(std::vector<trace::Event> events, std::uint64_t base) {
  for (trace::Event& event : events) {
    trace::set_rip(event, base + event.address % 16 * 8);
    trace::set_cr3(event, 0x1000);
  }
  return events;
}

constexpr std::uint64_t kText = 0xffffffff81000000;

// In the held-out work: blocks with accesses by code that the earlier work has not.
bool has_strange_blocks(const model::ModelData& data) {
  const model::UnseenCounts& counts = data.calibration.strange;
  return std::any_of(counts.begin() + 1, counts.end(), [](std::uint64_t c) { return c > 0; });
}

TEST_F(TrainerTest, PlacesOfCodeAreCountedByDeviceWhereverTheKernelLies) {
  Trainer trainer({}, {});
  auto first = source(by_code(work(1), kText), 1);
  auto second = source(by_code(work(2), kText + 9 * 0x200000), 2);
  ASSERT_TRUE(trainer.add(first));
  ASSERT_TRUE(trainer.add(second));
  auto training = trainer.finish();
  // Four ports of the disk, two of the clock.
  ASSERT_EQ(training->data.places.size(), 6u);
  std::uint64_t accesses = 0;
  for (const model::PlaceRow& row : training->data.places) accesses += row.count;
  EXPECT_EQ(accesses, training->events);
  EXPECT_EQ(training->without_code, 0u);
}

TEST_F(TrainerTest, RecordingsWithoutInstructionAddressesAreCounted) {
  Trainer trainer({}, {});
  auto first = source(by_code(work(1), kText), 1);
  auto second = source(work(2), 2);
  ASSERT_TRUE(trainer.add(first));
  ASSERT_TRUE(trainer.add(second));
  auto training = trainer.finish();
  EXPECT_EQ(training->without_code, 1u);
  EXPECT_EQ(training->recordings, 2u);
  EXPECT_FALSE(training->data.places.empty());
}

// One port of the later recording is written from elsewhere, eight times in a block or less.
TEST_F(TrainerTest, HeldOutWorkFromOtherPlacesRaisesTheLimit) {
  std::vector<trace::Event> later = by_code(work(2), kText);
  int left = 20;
  for (trace::Event& event : later) {
    if (event.address == 0x1f7 && left-- > 0) trace::set_rip(event, event.rip + 4);
  }
  auto limit = [](std::vector<trace::Event> held) {
    Trainer trainer({}, {.alarms = 1, .per = 1000, .unit = model::Promise::Unit::events});
    auto first = source(by_code(work(1), kText), 1);
    auto second = source(std::move(held), 2);
    EXPECT_TRUE(trainer.add(first));
    EXPECT_TRUE(trainer.add(second));
    return trainer.finish()->data;
  };
  model::ModelData usual = limit(by_code(work(2), kText));
  EXPECT_FALSE(has_strange_blocks(usual));
  model::ModelData odd = limit(later);
  EXPECT_TRUE(has_strange_blocks(odd));
  EXPECT_GT(odd.threshold.strange, usual.threshold.strange);
}

// A guest with another kernel says nothing about places.
TEST_F(TrainerTest, HeldOutWorkOfAnotherKernelIsNotCountedAsStrange) {
  Trainer trainer({}, {});
  auto first = source(by_code(work(1), kText), 1);
  auto second = source(by_code(work(2), kText + 0x12340), 2);
  ASSERT_TRUE(trainer.add(first));
  ASSERT_TRUE(trainer.add(second));
  model::ModelData data = trainer.finish()->data;
  EXPECT_FALSE(has_strange_blocks(data));
}

TEST_F(ThresholdTest, FewDataNeedMoreAccessesByUnknownCode) {
  model::Calibration c{.events = 1000, .blocks = 5, .largest = {3, 2}};
  c.strange[0] = 5;
  auto limit = [&c](double alarms) {
    model::Promise promise{alarms, 1'000'000, model::Promise::Unit::events};
    return choose_threshold(c, promise, 10 * model::kOneBit).strange;
  };
  EXPECT_EQ(limit(3100), model::kLeastStrange);  // 1,000 events without one are enough
  EXPECT_EQ(limit(0.01), model::kMostStrange);
  EXPECT_GT(limit(100), model::kLeastStrange);
  EXPECT_LT(limit(100), model::kMostStrange);
}

}  // namespace
}  // namespace iovm::train
