// SPDX-License-Identifier: Apache-2.0
#include "detect/detector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "detect/episode.h"
#include "detect/render.h"
#include "trace/reader.h"
#include "trace/writer.h"
#include "unit/model/events.h"

namespace iovm::detect {
namespace {

using model::kNoSymbol;
using model::Symbol;
using testing::HasSubstr;

// A driver reading floppy sectors, and a clock.
void normal_work(TestGuest& guest, int rounds) {
  for (int i = 0; i < rounds; ++i) {
    for (std::uint64_t byte : {0xe6, 0, 0, 1, 2, 18, 27, 255}) {
      guest.in(0x3f4, byte == 0xe6 ? 0x80 : 0x90).out(0x3f5, byte);
    }
    for (int result = 0; result < 7; ++result) guest.in(0x3f4, 0xd0).in(0x3f5, 0);
    guest.out(0x70, 0x0a).in(0x71, 0x26);
  }
}

void venom(TestGuest& guest, int bytes) {
  guest.in(0x3f4, 0x80).out(0x3f5, 0x8e);
  for (int i = 0; i < bytes; ++i) guest.out(0x3f5, 0x41);
}

// Counts as train does; detect must not know train.
model::ModelData learn(const std::vector<trace::Event>& events, const model::Options& options) {
  model::ModelData data;
  data.options = options;
  model::Tokenizer tokenizer(options.scheme);
  model::StreamMap map(options.stream);
  std::vector<std::vector<Symbol>> streams;
  for (const trace::Event& event : events) {
    model::Token token = tokenizer(event);
    model::StreamIndex stream = map(event, token.device, {});
    if (stream >= streams.size()) streams.resize(stream + 1);
    streams[stream].push_back(token.symbol);
  }
  for (Symbol s = model::kFirstSymbol; s < tokenizer.alphabet().size(); ++s) {
    data.alphabet.push_back(tokenizer.alphabet().operation(s));
  }
  std::ranges::sort(data.alphabet);
  std::vector<Symbol> sorted(tokenizer.alphabet().size());
  for (Symbol s = model::kFirstSymbol; s < sorted.size(); ++s) {
    auto it = std::ranges::lower_bound(data.alphabet, tokenizer.alphabet().operation(s));
    sorted[s] = static_cast<Symbol>(it - data.alphabet.begin()) + model::kFirstSymbol;
  }
  model::Ngrams grams{options.context() + 1, {}, {}};
  for (const std::vector<Symbol>& stream : streams) {
    for (std::size_t end = 1; end <= stream.size(); ++end) {
      for (std::size_t i = 0; i < grams.length; ++i) {
        bool there = end + i >= grams.length;
        grams.symbols.push_back(there ? stream[end + i - grams.length] : kNoSymbol);
      }
      grams.counts.push_back(1);
    }
  }
  data.ngrams = renamed(canonical(grams), sorted);
  data.threshold.value = 4 * model::kOneBit;
  data.calibration = {.events = 100, .blocks = 99, .largest = {model::kOneBit}};
  return data;
}

class Collector : public AlertSink {
 public:
  Status opened(const Alert& alert) override {
    at_once.push_back(alert);
    return {};
  }
  Status closed(const Alert& alert) override {
    alerts.push_back(alert);
    json += alert_json(alert);
    return {};
  }
  std::vector<Alert> at_once;
  std::vector<Alert> alerts;
  std::string json;
};

class DetectorTest : public testing::Test {
 protected:
  DetectorTest() {
    TestGuest trainer;
    normal_work(trainer, 50);
    data = learn(trainer.events, options);
    context.vms.emplace_back().name = "web-1";
    trace::GuestProcess& evil = context.processes.emplace_back();
    evil.pid = evil.tgid = 266;
    evil.comm = "evil\x1b[2J";
  }

  Collector detect(std::size_t batch = 1024) {
    Collector out;
    Learned learned(data);
    Detector detector(learned, "test.iovm", out);
    trace::VectorSource source(context, guest.events, batch);
    EXPECT_TRUE(run(source, detector));
    stats = detector.stats();
    scores = detector.scores(context);
    return out;
  }

  model::Options options;
  model::ModelData data;
  trace::Context context;
  TestGuest guest;
  DetectorStats stats;
  std::vector<StreamScore> scores;
};

TEST_F(DetectorTest, NormalWorkRaisesNoAlarm) {
  normal_work(guest, 30);
  EXPECT_TRUE(detect().alerts.empty());
  EXPECT_EQ(stats.events, guest.events.size());
}

// One access by a process of the guest, at a kernel's device.
void touch_from_user_space(TestGuest& guest) {
  guest.rip = 0xffffffff81000000;
  guest.cr3 = 0x1000;
  guest.in(0x3f4, 0x80);
  guest.rip = 0x401000;
  guest.cr3 = 0xf6e0000;
  guest.process = 0;
  guest.in(0x3f4, 0x80);
  guest.rip = 0xffffffff81000000;
  guest.cr3 = 0x1000;
}

TEST_F(DetectorTest, OneAccessFromUserSpaceIsAnAlertThatNamesTheAddressSpace) {
  normal_work(guest, 5);
  touch_from_user_space(guest);
  Collector got = detect();
  ASSERT_EQ(got.alerts.size(), 1u);
  const Alert& alert = got.alerts.front();
  EXPECT_EQ(alert.kind, AlertKind::user_space);
  ASSERT_FALSE(alert.spaces.empty());
  EXPECT_EQ(alert.spaces.front().cr3, 0xf6e0000u);
  EXPECT_EQ(alert.actors.front().info.pid, 266);
  EXPECT_EQ(rule_of(alert), "device access from user space");
  EXPECT_EQ(severity_of(alert), 99);
}

TEST_F(DetectorTest, AFewAccessesThatTrainingNeverSawAreAnAlert) {
  normal_work(guest, 5);
  for (int i = 0; i < 5; ++i) guest.out(0x390 + static_cast<std::uint64_t>(i), 1);
  EXPECT_TRUE(detect().alerts.empty());
  guest.out(0x398, 1);
  Collector got = detect();
  ASSERT_EQ(got.alerts.size(), 1u);
  EXPECT_EQ(got.alerts.front().kind, AlertKind::unseen);
  data.threshold.unseen = 7;
  EXPECT_TRUE(detect().alerts.empty());
}

// Each read `times` times over.
std::vector<trace::Event> polling(const std::vector<trace::Event>& events, int times) {
  std::vector<trace::Event> out;
  for (const trace::Event& e : events) {
    bool read = e.direction == trace::Direction::read;
    for (int i = 0; i < (read ? times : 1); ++i) out.push_back(e);
  }
  return out;
}

TEST_F(DetectorTest, HowLongADriverPollsDoesNotMatter) {
  normal_work(guest, 3);
  std::vector<trace::Event> events = guest.events;
  guest.events = polling(events, 3);
  detect();
  double three = scores.at(0).session.score;
  guest.events = polling(events, 500);
  detect();
  EXPECT_DOUBLE_EQ(scores.at(0).session.score, three);
}

TEST_F(DetectorTest, UserSpaceIsAllowedByDeviceOrProcess) {
  touch_from_user_space(guest);
  data.allowed = {"device:fdc"};
  EXPECT_TRUE(detect().alerts.empty());
  data.allowed = {"process:evil\x1b[2J"};
  EXPECT_TRUE(detect().alerts.empty());
  data.allowed = {"device:cmos", "process:evil"};
  EXPECT_EQ(detect().alerts.size(), 1u);
}

TEST_F(DetectorTest, AnUnusualSessionIsAnAlertWhereThePromiseIsAboutSessions) {
  normal_work(guest, 20);
  EXPECT_TRUE(detect().alerts.empty());
  data.threshold.value = ~model::Bits{0};
  data.threshold.session = scores.at(0).session.score + 0.01;
  EXPECT_TRUE(detect().alerts.empty());
  data.threshold.session -= 0.02;
  Collector got = detect();
  ASSERT_EQ(got.alerts.size(), 1u);
  EXPECT_EQ(got.alerts.front().kind, AlertKind::session);
  EXPECT_EQ(got.alerts.front().events, scores.at(0).events);
}

TEST_F(DetectorTest, AFloodOfTheFloppyIsOneAlert) {
  normal_work(guest, 5);
  venom(guest, 500);
  normal_work(guest, 30);
  Collector got = detect();
  ASSERT_EQ(got.alerts.size(), 1u);
  const Alert& alert = got.alerts.front();
  EXPECT_EQ(model::describe(*alert.stream.device), "floppy controller");
  EXPECT_GT(alert.events, 400u);
  EXPECT_GT(alert.score, alert.threshold);
  EXPECT_DOUBLE_EQ(alert.p_value, 0.01);
}

TEST_F(DetectorTest, AnEpisodeBeginsWithItsOddSteps) {
  normal_work(guest, 5);
  guest.in(0x3f7);  // odd, but alone
  for (int i = 0; i < 10; ++i) guest.in(0x3f4, 0xd0).in(0x3f5, 0);
  std::uint64_t begin = guest.events.size();
  venom(guest, 100);
  Alert alert = detect().alerts.front();
  EXPECT_GE(alert.first_event, begin);
  EXPECT_LE(alert.first_event, begin + 2);
  EXPECT_EQ(alert.last_event, guest.events.size() - 1);
}

TEST_F(DetectorTest, AnAlarmComesWithinTheFirstEventsOfTheFlood) {
  normal_work(guest, 5);
  std::uint64_t begin = guest.events.size();
  venom(guest, 500);
  Collector got = detect();
  ASSERT_EQ(got.at_once.size(), 1u);
  EXPECT_GE(got.at_once.front().alarm_event, begin);
  EXPECT_LE(got.at_once.front().alarm_event, begin + 20);
}

TEST_F(DetectorTest, BatchesDoNotChangeTheVerdictByABit) {
  for (int i = 0; i < 3; ++i) {
    normal_work(guest, 20);
    venom(guest, 60);
    guest.lose(3);
    guest.in(0x1234, 5);
  }
  std::string whole = detect(1 << 20).json;
  EXPECT_NE(whole, "");
  for (std::size_t batch : {1, 7, 64, 1000}) EXPECT_EQ(detect(batch).json, whole) << batch;
}

TEST_F(DetectorTest, AFileGivesTheVerdictOfTheLiveSourceBitForBit) {
  normal_work(guest, 20);
  venom(guest, 60);
  guest.lose(3);
  normal_work(guest, 20);
  std::string path = testing::TempDir() + "iovm-detector-test.iovm";
  auto writer = trace::TraceWriter::create(path, context.info);
  ASSERT_TRUE(writer);
  ASSERT_TRUE((*writer)->write(context, guest.events));
  ASSERT_TRUE((*writer)->finish());
  auto reader = trace::TraceReader::open(path);
  ASSERT_TRUE(reader);
  Collector from_file;
  Learned learned(data);
  Detector detector(learned, "test.iovm", from_file);
  ASSERT_TRUE(run(**reader, detector));
  EXPECT_NE(from_file.json, "");
  EXPECT_EQ(from_file.json, detect(7).json);
}

TEST_F(DetectorTest, AlarmsCloseTogetherAreOneEpisode) {
  normal_work(guest, 3);
  for (int i = 0; i < 5; ++i) {
    venom(guest, 60);
    normal_work(guest, 3);  // 90 events of the floppy
  }
  EXPECT_EQ(detect().alerts.size(), 1u);
}

TEST_F(DetectorTest, AlarmsFarApartAreTwo) {
  normal_work(guest, 3);
  venom(guest, 60);
  normal_work(guest, 15);
  guest.pause(kAftermathNs);
  venom(guest, 60);
  Collector got = detect();
  ASSERT_EQ(got.alerts.size(), 2u);
  EXPECT_LT(got.alerts[0].last_event, got.alerts[1].first_event);
  EXPECT_NE(got.alerts[0].id, got.alerts[1].id);
}

TEST_F(DetectorTest, WhatComesSoonAfterIsTheSameIncident) {
  normal_work(guest, 3);
  venom(guest, 60);
  normal_work(guest, 15);  // more than 200 events, but the device may still be recovering
  venom(guest, 60);
  EXPECT_EQ(detect().alerts.size(), 1u);
}

TEST_F(DetectorTest, OnAQuietDeviceAMinuteMakesANewIncident) {
  normal_work(guest, 3);
  venom(guest, 60);
  guest.pause(kForgottenNs);
  venom(guest, 60);
  EXPECT_EQ(detect().alerts.size(), 2u);
}

TEST_F(DetectorTest, ALossIsABoundaryForWindowsAndSequences) {
  // Half of what an alarm takes, twice, with a gap between.
  for (int i = 0; i < 2; ++i) {
    normal_work(guest, 5);
    venom(guest, 3);
    guest.lose(7);
  }
  EXPECT_TRUE(detect().alerts.empty());
  EXPECT_EQ(stats.lost.all(), 14u);
}

TEST_F(DetectorTest, ReasonsSayWhatWasNewAndWhatWasExpected) {
  normal_work(guest, 5);
  venom(guest, 100);
  Alert alert = detect().alerts.front();
  ASSERT_FALSE(alert.steps.empty());
  const Step& step = alert.steps.front();
  EXPECT_EQ(model::describe(step.operation), "floppy controller: write 0x8e to data FIFO (0x3f5)");
  EXPECT_EQ(step.novelty, Novelty::unknown_value);
  // Six results are read after others, then 49 of 50 times the next command follows.
  ASSERT_EQ(step.expected.size(), 2u);
  EXPECT_EQ(model::short_name(step.expected[0].operation), "fdc:3f5:r1");
  EXPECT_EQ(step.expected[0].count, 250u);
  EXPECT_EQ(model::short_name(step.expected[1].operation), "fdc:3f5:w1=e6");
  EXPECT_EQ(step.expected[1].count, 49u);
  EXPECT_EQ(step.context_count, 299u);
  EXPECT_EQ(model::short_name(step.context.back()), "fdc:3f4:r1");
}

TEST_F(DetectorTest, NoveltyTellsDevicesFromRegistersFromOrder) {
  data.threshold.value = 0;
  guest.in(0x378);
  EXPECT_EQ(detect().alerts.front().steps.front().novelty, Novelty::unknown_device);
  EXPECT_TRUE(detect().alerts.front().steps.front().expected.empty());  // another's is not meant
  guest.events.clear();
  guest.in(0x3f7);
  EXPECT_EQ(detect().alerts.front().steps.front().novelty, Novelty::unknown_access);
  guest.events.clear();
  for (int i = 0; i < 30; ++i) guest.in(0x3f4, 0x80, 2);
  EXPECT_EQ(detect().alerts.front().steps.front().novelty, Novelty::unknown_size);
  guest.events.clear();
  guest.in(0x3f4, 0x80);
  EXPECT_EQ(detect().alerts.front().steps.back().novelty, Novelty::none);
  data.threshold.value = model::kOneBit / 8;  // not yet at the first one
  guest.in(0x3f4, 0x80);
  EXPECT_EQ(detect().alerts.front().steps.back().novelty, Novelty::new_sequence);
}

TEST_F(DetectorTest, AnAlertNamesWhoDidIt) {
  normal_work(guest, 5);
  guest.process = 0;
  venom(guest, 100);
  Collector got = detect();
  ASSERT_EQ(got.alerts.size(), 1u);
  EXPECT_EQ(got.alerts.front().actors.front().info.pid, 266);
}

TEST_F(DetectorTest, ScoresAreOneForEachStream) {
  normal_work(guest, 5);
  venom(guest, 100);
  detect();
  ASSERT_EQ(scores.size(), 2u);
  EXPECT_EQ(scores[0].events + scores[1].events, guest.events.size());
  EXPECT_EQ(scores[0].alerts, 1u);
  EXPECT_EQ(scores[1].alerts, 0u);
  EXPECT_GT(scores[0].max_window, scores[1].max_window);
}

TEST_F(DetectorTest, EveryMethodSeesTheFlood) {
  for (model::Method method : {model::Method::markov, model::Method::chain, model::Method::stide}) {
    options.method = method;
    options.order = model::usual_order(method);
    TestGuest trainer;
    normal_work(trainer, 50);
    data = learn(trainer.events, options);
    data.threshold.value = method == model::Method::stide ? model::kOneBit / 2 : 4 * model::kOneBit;
    guest.events.clear();
    normal_work(guest, 20);
    EXPECT_TRUE(detect().alerts.empty()) << name_of(method);
    venom(guest, 100);
    EXPECT_EQ(detect().alerts.size(), 1u) << name_of(method);
  }
}

TEST_F(DetectorTest, JsonHasTheNamesThatSecurityToolsKnow) {
  guest.process = 0;
  normal_work(guest, 5);
  venom(guest, 100);
  auto json = JsonValue::parse(detect().json);
  ASSERT_TRUE(json);
  EXPECT_EQ(json->member("event")->member("kind")->text(), "alert");
  EXPECT_TRUE(json->member("@timestamp")->text());
  EXPECT_TRUE(json->member("rule")->member("name")->text());
  EXPECT_EQ(json->member("threat")->member("technique")->member("id")->text(), "T1611");
  auto ours = json->member("iovm");
  ASSERT_TRUE(ours);
  EXPECT_EQ(ours->member("vm")->text(), "web-1");
  EXPECT_EQ(ours->member("process")->member("pid")->whole(), 266u);
  EXPECT_GT(*ours->member("score")->member("value")->number(), 4);
  EXPECT_LT(*ours->member("window")->member("first")->whole(),
            *ours->member("window")->member("last")->whole());
  EXPECT_GT(ours->member("sequence")->size(), 0u);
  EXPECT_EQ(ours->member("lost")->whole(), 0u);
}

TEST_F(DetectorTest, TextIsSafeOnATerminal) {
  guest.process = 0;
  normal_work(guest, 5);
  venom(guest, 100);
  std::string text = alert_text(detect().alerts.front());
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_THAT(text, HasSubstr("evil\\x1b[2J (266)"));
  EXPECT_THAT(text, HasSubstr("floppy controller"));
}

TEST_F(DetectorTest, AnAlertOfPageTablesOfWhichNothingElseIsKnownSaysSo) {
  trace::GuestProcess& bare = context.processes.front();
  bare = {};
  bare.comm = "cr3:0xf6e0000";
  bare.kind = trace::ProcessKind::address_space;
  normal_work(guest, 5);
  touch_from_user_space(guest);
  Alert alert = detect().alerts.front();
  EXPECT_THAT(alert_text(alert), HasSubstr("by address space cr3:0xf6e0000"));
  EXPECT_THAT(alert_json(alert), HasSubstr("\"kind\":\"address space\""));
}

// A floppy that a minute of training never asked for more than 500 accesses.
void learn_volumes(model::ModelData& data) {
  model::VolumeCounter counter;
  for (model::Whose whose : {model::Whose::actor, model::Whose::device}) {
    counter.add({model::pc_device(model::PcDevice::floppy), whose}, {500, 250, 0, 0, 0, 0});
  }
  data.volumes = counter.volumes();
}

TEST_F(DetectorTest, FarMoreNormalWorkThanEverIsOneAlertThatNamesWhoDidIt) {
  learn_volumes(data);
  normal_work(guest, 20);
  guest.process = 0;
  normal_work(guest, 200);
  guest.process = static_cast<std::uint32_t>(trace::Unknown::not_recorded);
  normal_work(guest, 2);
  Collector got = detect();
  ASSERT_EQ(got.alerts.size(), 1u);
  const Alert& alert = got.alerts.front();
  EXPECT_EQ(alert.kind, AlertKind::volume);
  ASSERT_TRUE(alert.excess);
  EXPECT_EQ(alert.excess->amount, alert.excess->limit);
  EXPECT_GT(alert.score, alert.threshold);
  EXPECT_EQ(alert.actors.front().info.pid, 266);
  EXPECT_THAT(got.json, HasSubstr(R"("volume":{"text":")"));
  EXPECT_THAT(alert_text(alert), HasSubstr("training's busiest minutes had"));
}

TEST_F(DetectorTest, AsMuchWorkAMinuteAsTrainingSawIsNoAlarmHoweverLongItGoesOn) {
  learn_volumes(data);
  for (int minute = 0; minute < 30; ++minute) {
    normal_work(guest, 14);
    guest.pause(60'000'000'000);
  }
  EXPECT_TRUE(detect().alerts.empty());
}

TEST_F(DetectorTest, TooMuchOfAnAttackIsPartOfItsAlert) {
  learn_volumes(data);
  venom(guest, 4000);
  Collector got = detect();
  ASSERT_EQ(got.alerts.size(), 1u);
  EXPECT_NE(got.alerts.front().kind, AlertKind::volume);
  EXPECT_TRUE(got.alerts.front().excess);
}

TEST_F(DetectorTest, TooMuchForMinutesIsOneAlert) {
  learn_volumes(data);
  for (int i = 0; i < 6000; ++i) {
    normal_work(guest, 1);
    guest.pause(50'000'000);
  }
  EXPECT_EQ(detect().alerts.size(), 1u);
}

}  // namespace
}  // namespace iovm::detect
