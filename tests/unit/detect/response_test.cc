// SPDX-License-Identifier: Apache-2.0
#include "detect/response.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/json.h"
#include "detect/flight_recorder.h"
#include "trace/reader.h"
#include "unit/model/events.h"

namespace iovm::detect {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

Alert some_alert(const std::string& id = "00000000-1-venom") {
  Alert alert;
  alert.id = id;
  alert.kind = AlertKind::rule;
  alert.rule = RuleHit{};
  alert.rule->id = "venom";
  alert.rule->title = "A title";
  alert.rule->references = {"CVE-1"};
  alert.stream.vm_name = "$(touch pwned)\x1b[2J";
  return alert;
}

class ResponseTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "response-" + std::to_string(::getpid());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  Say say() {
    return [this](std::string_view text) {
      std::lock_guard guard(lock_);
      said_.emplace_back(text);
    };
  }
  std::string text(const std::string& name) const {
    auto text = read_file(folder_ + "/" + name);
    return text ? *text : "";
  }

  std::string folder_;
  std::mutex lock_;
  std::vector<std::string> said_;
};

TEST_F(ResponseTest, ACommandGetsTheAlertOnItsInputAndNothingOfTheGuestElsewhere) {
  {
    Workers workers;
    auto response =
        run_command("cat >" + folder_ + "/alert; env >" + folder_ +
                        "/environment; tr '\\0' '\\n' </proc/$$/cmdline >" + folder_ + "/words",
                    workers, say());
    response->alarm(some_alert());
  }
  auto json = JsonValue::parse(text("alert"));
  ASSERT_TRUE(json) << text("alert");
  EXPECT_EQ(json->member("iovm")->member("vm")->text(), "$(touch pwned)\x1b[2J");
  EXPECT_EQ(text("environment").find("pwned"), std::string::npos);
  EXPECT_EQ(text("words").find("pwned"), std::string::npos);
  EXPECT_THAT(said_, IsEmpty());
}

TEST_F(ResponseTest, ACommandThatFailsIsTold) {
  {
    Workers workers;
    run_command("exit 3", workers, say())->alarm(some_alert());
    run_command("kill -9 $$", workers, say())->alarm(some_alert());
  }
  EXPECT_THAT(said_,
              testing::UnorderedElementsAre("the command of --on-alert ended with 3",
                                            "the command of --on-alert was ended by signal 9"));
}

TEST_F(ResponseTest, ACommandThatDoesNotReadItsInputDisturbsNobody) {
  {
    Workers workers;
    Alert alert = some_alert();
    alert.rule->about = std::string(1 << 20, 'x');  // more than a pipe holds
    run_command("true", workers, say())->alarm(alert);
  }
  EXPECT_THAT(said_, IsEmpty());
}

TEST_F(ResponseTest, JobsBeyondTheBoundAreTurnedAwayAndCounted) {
  std::atomic<int> done = 0;
  std::mutex gate;
  std::size_t taken = 0;
  gate.lock();
  {
    Workers workers;
    for (std::size_t i = 0; i < 200; ++i) {
      taken += workers.take([&] {
        std::lock_guard wait(gate);
        ++done;
      });
    }
    EXPECT_GE(taken, Workers::kWaiting);
    EXPECT_LE(taken, Workers::kWaiting + Workers::kThreads);
    gate.unlock();
  }
  EXPECT_EQ(static_cast<std::size_t>(done), taken);
}

TEST_F(ResponseTest, NobodyIsStoppedWhoHasNoVm) {
  auto response = stop_vmm(say());
  Alert alert = some_alert();
  response->alarm(alert);
  alert.stream.vmm_pid = ::getpid();  // a test that stops itself would not end
  response->alarm(alert);
  ASSERT_THAT(said_, SizeIs(2));
  EXPECT_THAT(said_[0], HasSubstr("is not known"));
  EXPECT_THAT(said_[1], HasSubstr("is gone"));
  EXPECT_EQ(said_[1].find('\x1b'), std::string::npos);
}

// Answers every alert with one thing, and keeps how the alert stood then.
struct Answer : Response {
  Answer(Stop stop, std::vector<Stop>& before) : stop_(stop), before_(before) {}
  Stop alarm(const Alert& alert) override {
    before_.push_back(alert.stop);
    return stop_;
  }
  Stop stop_;
  std::vector<Stop>& before_;
};

struct Told : AlertSink {
  Status opened(const Alert& alert) override { return opened_with.push_back(alert.stop), Status(); }
  Status closed(const Alert& alert) override { return closed_with.push_back(alert.stop), Status(); }
  std::vector<Stop> opened_with;
  std::vector<Stop> closed_with;
};

TEST_F(ResponseTest, WhatStoppedTheVmIsToldWithTheAlertAndToLaterResponses) {
  std::vector<Stop> before;
  std::vector<std::unique_ptr<Response>> responses;
  for (Stop stop : {Stop::none, Stop::signal, Stop::none})
    responses.push_back(std::make_unique<Answer>(stop, before));
  Told told;
  RespondingSink sink(told, responses, true);
  ASSERT_TRUE(sink.opened(some_alert("one")));
  ASSERT_TRUE(sink.closed(some_alert("other")));
  ASSERT_TRUE(sink.closed(some_alert("one")));
  EXPECT_THAT(before, ElementsAre(Stop::none, Stop::none, Stop::signal));
  EXPECT_THAT(told.opened_with, ElementsAre(Stop::signal));
  EXPECT_THAT(told.closed_with, ElementsAre(Stop::none, Stop::signal));
}

TEST_F(ResponseTest, OfAFileAlertsAreAnsweredWhenTheyAreWhole) {
  std::vector<Stop> before;
  std::vector<std::unique_ptr<Response>> responses;
  responses.push_back(std::make_unique<Answer>(Stop::none, before));
  Told told;
  RespondingSink sink(told, responses, false);
  ASSERT_TRUE(sink.opened(some_alert()));
  EXPECT_THAT(before, IsEmpty());
  ASSERT_TRUE(sink.closed(some_alert()));
  EXPECT_THAT(before, SizeIs(1));
}

TEST_F(ResponseTest, AMonitorThatIsNotThereIsTold) {
  {
    Workers workers;
    stop_by_qmp(folder_ + "/missing", workers, say())->alarm(some_alert());
  }
  ASSERT_THAT(said_, SizeIs(1));
  EXPECT_THAT(said_[0], HasSubstr("--on-alert pause: connecting to "));
}

class FlightRecorderTest : public ResponseTest {
 protected:
  // A second of the guest's life, an access every 100 ms.
  void live(FlightRecorder& recorder, int seconds = 1) {
    TestGuest guest;
    for (int i = 0; i < 10 * seconds; ++i) {
      guest.out(0x80, value_++);
      guest.events.back().time = now_ += 100'000'000;
    }
    recorder.keep(context_, guest.events);
  }
  Alert alert_now(const std::string& id = "00000000-1-venom") const {
    Alert alert = some_alert(id);
    alert.alarm_time = now_;
    return alert;
  }
  // The values in the dump of an alert.
  std::vector<std::uint64_t> dumped(const std::string& id = "00000000-1-venom") {
    auto reader = trace::TraceReader::open(folder_ + "/" + id + ".iovm");
    if (!reader) return {};
    std::vector<std::uint64_t> out;
    for (;;) {
      auto batch = (*reader)->next();
      if (!batch || batch->empty()) break;
      for (const trace::Event& e : *batch) out.push_back(e.value);
    }
    notes_ = (*reader)->context().info.notes;
    return out;
  }

  trace::Context context_;
  std::uint64_t now_ = 0;
  std::uint64_t value_ = 0;
  std::vector<std::pair<std::string, std::string>> notes_;
};

TEST_F(FlightRecorderTest, TheDumpHasWhatWasBeforeTheAlertAndWhatFollows) {
  FlightRecorder recorder(folder_, std::chrono::seconds(2), say());
  live(recorder, 10);
  recorder.alarm(alert_now());
  for (int i = 0; i < 5; ++i) live(recorder);
  auto values = dumped();
  ASSERT_FALSE(values.empty());
  EXPECT_EQ(values.front(), 79U);
  EXPECT_EQ(values.back(), 129U);  // the batch in which the time was over is whole
  EXPECT_THAT(said_, ElementsAre(HasSubstr("51 events around the alert")));
  EXPECT_THAT(notes_, testing::Contains(std::pair<std::string, std::string>("first_event", "79")));
}

TEST_F(FlightRecorderTest, AnotherAlertMakesTheDumpLongerAndNotAnotherOne) {
  FlightRecorder recorder(folder_, std::chrono::seconds(2), say());
  live(recorder);
  recorder.alarm(alert_now());
  live(recorder);
  recorder.alarm(alert_now("00000000-2-other"));
  for (int i = 0; i < 5; ++i) live(recorder);
  EXPECT_EQ(dumped().back(), 49U);
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/00000000-2-other.iovm"));
}

TEST_F(FlightRecorderTest, MemoryIsBoundedHoweverFastEventsCome) {
  FlightRecorder recorder(folder_, std::chrono::hours(1), say());
  TestGuest guest;
  for (int i = 0; i < 100'000; ++i) guest.out(0x80, static_cast<std::uint64_t>(i));
  for (int i = 0; i < 12; ++i) recorder.keep(context_, guest.events);
  recorder.alarm(alert_now());
  recorder.finish();
  EXPECT_EQ(dumped().size(), FlightRecorder::kMostEvents);
}

TEST_F(FlightRecorderTest, AFolderThatCannotBeWrittenIsToldAndThatIsAll) {
  ASSERT_TRUE(write_file(folder_ + "/file", "x"));
  FlightRecorder recorder(folder_ + "/file", std::chrono::seconds(2), say());
  live(recorder);
  recorder.alarm(alert_now());
  live(recorder);
  ASSERT_THAT(said_, SizeIs(1));
  EXPECT_THAT(said_[0], HasSubstr("--on-alert dump: "));
}

}  // namespace
}  // namespace iovm::detect
