// SPDX-License-Identifier: Apache-2.0
//
// Talks with servers that answer, are silent, talk nonsense or never end.
#include "record/qmp_session.h"

#include <gmock/gmock.h>

#include "base/clock.h"
#include "base/format.h"
#include "unit/record/fake_qmp.h"

namespace iovm::record {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t kLong = 20'000'000'000;  // ns: nothing ends by it in a good run
constexpr std::uint64_t kShort = 50'000'000;

Result<std::string> ask(const FakeQmp& server, std::uint64_t patience = kLong) {
  return ask_qmp("/proc", ::getpid(), server.path(), "query-pci", monotonic_ns() + patience);
}
std::string why(const Result<std::string>& answer) {
  return answer ? "an answer" : answer.error().message();
}

TEST(QmpSessionTest, TheAnswerIsTheMessageOfTheCommand) {
  std::string first, second;
  FakeQmp server([&](FakeQmp& qmp) {
    qmp.say(kGreeting);
    first = qmp.hear();
    qmp.say("{\"return\": {}}\r\n");
    second = qmp.hear();
    qmp.say("{\"event\": \"STOP\", \"timestamp\": {}}\r\n{\"return\": [1]}\r\n");
    qmp.wait_for_its_end();
  });
  auto answer = ask(server);
  ASSERT_TRUE(answer) << why(answer);
  EXPECT_EQ(*answer, "{\"return\": [1]}");
  EXPECT_EQ(first, "{\"execute\":\"qmp_capabilities\"}");
  EXPECT_EQ(second, "{\"execute\":\"query-pci\"}");
}

TEST(QmpSessionTest, AnAnswerMayComeInPiecesAndLines) {
  FakeQmp server([](FakeQmp& qmp) {
    qmp.say(kGreeting);
    qmp.hear();
    qmp.say("{\n  \"return\": {\n  }\n}\n");
    qmp.hear();
    for (char c : std::string("{\n \"return\": [ \"a}\\\"{\", {} ]\n}\n")) qmp.say({&c, 1});
    qmp.wait_for_its_end();
  });
  auto answer = ask(server);
  ASSERT_TRUE(answer) << why(answer);
  EXPECT_EQ(*answer, "{\n \"return\": [ \"a}\\\"{\", {} ]\n}");
}

TEST(QmpSessionTest, ASilentServerIsLeftAtTheDeadline) {
  FakeQmp server([](FakeQmp& qmp) { qmp.wait_for_its_end(); });
  EXPECT_THAT(why(ask(server, kShort)), HasSubstr("no answer in time"));
}

TEST(QmpSessionTest, AServerThatDripsIsLeftAtTheDeadlineToo) {
  FakeQmp server([](FakeQmp& qmp) {
    while (qmp.say(" ")) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  });
  EXPECT_THAT(why(ask(server, kShort)), HasSubstr("no answer in time"));
}

TEST(QmpSessionTest, NothingIsSaidToWhatDoesNotGreetAsQmp) {
  std::string heard = "nothing yet";
  {
    FakeQmp server([&](FakeQmp& qmp) {
      qmp.say("{\"HTTP\": 1}\n");
      heard = qmp.hear();
    });
    EXPECT_THAT(why(ask(server)), HasSubstr("not QMP"));
  }
  EXPECT_EQ(heard, "");
}

TEST(QmpSessionTest, GarbageIsAnError) {
  FakeQmp server([](FakeQmp& qmp) {
    qmp.say(kGreeting);
    qmp.hear();
    qmp.say("{\"return\": {}}\n");
    qmp.hear();
    qmp.say("\xff}]{not json}\n");
    qmp.wait_for_its_end();
  });
  EXPECT_THAT(why(ask(server)), HasSubstr("no JSON"));
}

TEST(QmpSessionTest, ARefusalIsToldInItsWords) {
  FakeQmp server([](FakeQmp& qmp) {
    qmp.say(kGreeting);
    qmp.hear();
    qmp.say("{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"no\\u001b[2J\"}}\n");
    qmp.wait_for_its_end();
  });
  EXPECT_THAT(why(ask(server)), HasSubstr("qmp_capabilities was refused: no\\x1b[2J"));
}

TEST(QmpSessionTest, AnAnswerWithoutEndIsCutOff) {
  FakeQmp server([](FakeQmp& qmp) {
    qmp.say(kGreeting);
    qmp.hear();
    qmp.say("{\"return\": [");
    while (qmp.say(std::string(65536, '1'))) {
    }
  });
  EXPECT_THAT(why(ask(server)), HasSubstr("without end"));
}

TEST(QmpSessionTest, AServerThatHangsUpIsAnError) {
  FakeQmp server([](FakeQmp& qmp) { qmp.say("{\"QM"); });
  EXPECT_THAT(why(ask(server)), HasSubstr("hung up"));
}

TEST(QmpSessionTest, NobodyIsPushedAside) {
  FakeQmp server(nullptr);
  UniqueFd somebody(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, server.path().c_str(), sizeof address.sun_path - 1);
  ASSERT_EQ(::connect(somebody.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_THAT(why(ask(server)), HasSubstr("somebody else is connected"));
}

TEST(QmpSessionTest, ASocketOfAnotherProcessIsNotTheVmms) {
  FakeQmp server(nullptr);
  auto answer = ask_qmp("/proc", ::getppid(), server.path(), "query-pci", monotonic_ns() + kLong);
  EXPECT_THAT(why(answer), HasSubstr(format("pid {} listens there", ::getpid())));
}

TEST(QmpSessionTest, WhatIsNoSocketIsNotConnectedTo) {
  auto of = [](const char* path) {
    return why(ask_qmp("/proc", ::getpid(), path, "query-pci", monotonic_ns() + kLong));
  };
  EXPECT_THAT(of("/dev/null"), HasSubstr("/dev/null is no socket"));
  EXPECT_THAT(of("/nonexistent"), HasSubstr("No such file"));
  EXPECT_THAT(of("a\nb"), HasSubstr("two lines"));
}

}  // namespace
}  // namespace iovm::record
