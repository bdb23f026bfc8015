// SPDX-License-Identifier: Apache-2.0
#include "record/record_session.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/clock.h"
#include "trace/reader.h"
#include "unit/record/pretend_vm.h"

namespace iovm::record {
namespace {

using trace::Event;

// A live source that gives what the test wrote down, batch by batch.
class ScriptedSource : public LiveSource {
 public:
  explicit ScriptedSource(const StopFlag& stop) : stop_(&stop) { context_.vms.resize(1); }

  std::vector<std::vector<Event>> batches;
  bool goes_on = false;  // after the batches: until it is stopped

  Result<Batch> next_within(std::chrono::nanoseconds patience) override {
    if (at_ < batches.size()) return Batch{batches[at_++], false};
    if (!goes_on || stop_->stopped()) return Batch{{}, true};
    std::this_thread::sleep_for(std::min(patience, std::chrono::nanoseconds(1'000'000)));
    return Batch{};
  }
  const trace::Context& context() const override { return context_; }
  Engine engine() const override { return Engine::perf; }
  const CaptureStats& stats() const override { return stats_; }
  std::size_t running() const override { return 1; }
  std::size_t ended() const override { return 0; }

 private:
  const StopFlag* stop_;
  trace::Context context_;
  CaptureStats stats_;
  std::size_t at_ = 0;
};

class RecordSessionTest : public testing::Test {
 protected:
  static std::vector<Event> events(std::uint64_t first, std::size_t count) {
    std::vector<Event> out(count);
    for (std::size_t i = 0; i < count; ++i) out[i].time = first + i;
    return out;
  }
  Result<EndReason> run(StopCondition condition) {
    writer = *trace::TraceWriter::create(path, source.context().info);
    return RecordSession(source, stop, *writer, condition).run([this](const Progress&) {
      ++watched;
    });
  }
  // What a reader of the file gets: events and losses.
  std::size_t in_file() {
    auto reader = trace::TraceReader::open(path);
    EXPECT_TRUE(reader);
    std::size_t count = 0;
    for (auto batch = (*reader)->next(); batch && !batch->empty(); batch = (*reader)->next()) {
      count += batch->size();
    }
    EXPECT_FALSE((*reader)->ended_early());
    return count;
  }

  ScratchFolder folder;
  std::string path = folder.path() + "/out.iovm";
  StopFlag stop = *StopFlag::create();
  ScriptedSource source{stop};
  std::unique_ptr<trace::TraceWriter> writer;
  int watched = 0;
};

TEST_F(RecordSessionTest, TheEndOfTheSourceIsTheEndOfItsVms) {
  source.batches = {events(1, 10), events(100, 5)};
  auto reason = run({});
  ASSERT_TRUE(reason);
  EXPECT_EQ(*reason, EndReason::vms_gone);
  EXPECT_EQ(in_file(), 15u);
  EXPECT_GT(watched, 0);
}

TEST_F(RecordSessionTest, TheNumberOfEventsIsExactAndLossesDoNotCount) {
  source.batches = {events(1, 10), events(100, 10)};
  source.batches[0][3] = trace::make_loss(4, 0, {}, {trace::LossCause::ring, 9});
  auto reason = run({.duration = {}, .max_events = 12});
  ASSERT_TRUE(reason);
  EXPECT_EQ(*reason, EndReason::max_events);
  EXPECT_EQ(writer->stats().events, 12u);
  EXPECT_EQ(writer->stats().lost.ring, 9u);
  EXPECT_EQ(in_file(), 13u);
}

TEST_F(RecordSessionTest, AQuietRecordingEndsWhenItsTimeIsUp) {
  source.goes_on = true;
  auto reason = run({.duration = std::chrono::milliseconds(20), .max_events = {}});
  ASSERT_TRUE(reason);
  EXPECT_EQ(*reason, EndReason::duration);
  EXPECT_EQ(in_file(), 0u);
}

TEST_F(RecordSessionTest, WhatHappenedAfterItsTimeIsNotInIt) {
  std::uint64_t now = monotonic_ns();
  std::uint64_t hour = 3'600'000'000'000;
  source.batches = {events(now, 10), events(now + 2 * hour, 10)};
  source.batches[1][5] = trace::make_loss(now + 2 * hour, 0, {}, {trace::LossCause::ring, 9});
  auto reason = run({.duration = std::chrono::hours(1), .max_events = {}});
  ASSERT_TRUE(reason);
  EXPECT_EQ(writer->stats().events, 10u);
  EXPECT_EQ(writer->stats().lost.ring, 9u);
}

TEST_F(RecordSessionTest, TheTimeIsThatOfTheTraceNotOfTheSession) {
  std::uint64_t before = monotonic_ns() - 50'000'000;
  source.batches = {events(before, 10), events(before + 40'000'000, 10)};
  auto reason = run({.duration = std::chrono::milliseconds(30), .max_events = {}});
  ASSERT_TRUE(reason);
  EXPECT_EQ(writer->stats().events, 10u);
}

TEST_F(RecordSessionTest, StoppedFromOutsideItClosesItsFile) {
  source.goes_on = true;
  source.batches = {events(1, 10)};
  stop.stop();
  auto reason = run({});
  ASSERT_TRUE(reason);
  EXPECT_EQ(*reason, EndReason::stopped);
  EXPECT_EQ(in_file(), 10u);
}

TEST_F(RecordSessionTest, ADiskThatIsFullEndsItWithThatError) {
  path = "/dev/full";
  auto made = trace::TraceWriter::create(path, source.context().info);
  ASSERT_FALSE(made) << "the head is written at once";
  EXPECT_EQ(made.error().fault(), Fault::host);
}

TEST(StopFlagTest, OnceStoppedItStaysSo) {
  auto stop = StopFlag::create();
  ASSERT_TRUE(stop);
  EXPECT_FALSE(stop->stopped());
  stop->stop();
  stop->stop();
  EXPECT_TRUE(stop->stopped());
  EXPECT_TRUE(stop->stopped());
}

}  // namespace
}  // namespace iovm::record
