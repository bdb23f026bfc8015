// SPDX-License-Identifier: Apache-2.0
#include "record/guest_resolver.h"

#include <gmock/gmock.h>

#include "unit/record/synthetic_guest.h"

namespace iovm::record {
namespace {

using testing::StartsWith;
using trace::Confidence;
using trace::ProcessKind;
using trace::Unknown;

constexpr std::uint64_t kSecond = 1'000'000'000;
std::uint64_t host_now = 0;
std::uint64_t host_clock() {
  return host_now += 1000;
}

// A guest whose boot clock is the host's minus 100 s, at 1 s after its boot.
class GuestResolverTest : public testing::Test {
 protected:
  void SetUp() override {
    host_now = 101 * kSecond;
    auto memory = guest_.memory();
    KernelSearch search = guest_.search(*memory);
    ASSERT_TRUE(search.kernel) << search.why_not;
    resolver_.attach(std::move(memory), std::move(search.kernel));
    ASSERT_TRUE(resolver_.refresh());
  }
  // In the kernel, now.
  GuestMoment moment(std::uint64_t current) const {
    GuestMoment m;
    m.time = host_now;
    m.current = current;
    m.rip = SyntheticGuest::kText + 0x10;
    m.cpl = std::uint8_t{0};
    return m;
  }
  static GuestMoment in_user_mode(std::uint64_t cr3) {
    GuestMoment m;
    m.time = host_now;
    m.cr3 = cr3;
    m.rip = std::uint64_t{0x401000};
    m.cpl = std::uint8_t{3};
    return m;
  }
  // The process; one without a kind for an unknown.
  trace::GuestProcess who(const GuestMoment& m) {
    std::uint32_t index = resolver_.resolve(m);
    return index < trace::kFirstUnknown ? table_[index] : trace::GuestProcess();
  }
  std::uint64_t task(std::int32_t pid, std::string_view comm, std::uint32_t flags = 0) {
    return guest_.add_task(pid, comm, host_now - 100 * kSecond, flags);
  }
  void pass(std::uint64_t ns) {
    host_now += ns;
    guest_.set_clock(host_now - 100 * kSecond);
  }

  SyntheticGuest guest_;
  std::vector<trace::GuestProcess> table_;
  GuestProcesses processes_{table_};
  GuestResolver resolver_{3, processes_, host_clock};
};

TEST_F(GuestResolverTest, TheCurrentTaskIsTheProcess) {
  std::uint64_t dd = task(153, "dd");
  pass(kSecond);
  resolver_.refresh();
  auto process = who(moment(dd));
  EXPECT_EQ(process.vm, 3);
  EXPECT_EQ(process.pid, 153);
  EXPECT_EQ(process.tgid, 153);
  EXPECT_EQ(process.comm, "dd");
  EXPECT_EQ(process.kind, ProcessKind::user);
  EXPECT_EQ(process.confidence, Confidence::high);
  EXPECT_EQ(process.how, "current task");
}

TEST_F(GuestResolverTest, AThreadHasItsOwnPidAndItsGroups) {
  std::uint64_t leader = task(20, "app");
  std::uint64_t thread = guest_.add_task(21, "worker", 1, 0, leader);
  EXPECT_EQ(who(moment(thread)).pid, 21);
  EXPECT_EQ(who(moment(thread)).tgid, 20);
}

TEST_F(GuestResolverTest, KernelThreadsAndTheIdleTaskAreToldApart) {
  EXPECT_EQ(who(moment(task(30, "kworker/0:1", 0x200000))).kind, ProcessKind::kernel_thread);
  auto idle = who(moment(guest_.init_task()));
  EXPECT_EQ(idle.kind, ProcessKind::idle);
  EXPECT_EQ(idle.confidence, Confidence::high);
}

TEST_F(GuestResolverTest, AnInterruptIsNotWhomItInterrupted) {
  GuestMoment m = moment(task(40, "victim"));
  m.preempt_count = 0x80010000;
  EXPECT_EQ(who(m).kind, ProcessKind::interrupt);
  EXPECT_EQ(who(m).comm, "hardirq");
  m.preempt_count = 0x80000100;
  EXPECT_EQ(who(m).comm, "softirq");
  m.preempt_count = 0x80000201;  // softirqs switched off, a lock held
  EXPECT_EQ(who(m).comm, "victim");
}

TEST_F(GuestResolverTest, KernelModeOutsideOfTheKernelIsFirmwareAndNotSure) {
  GuestMoment m = moment(task(41, "any"));
  m.rip = std::uint64_t{0xfd3f0};
  EXPECT_EQ(who(m).kind, ProcessKind::firmware);
  EXPECT_EQ(who(m).confidence, Confidence::low);
}

TEST_F(GuestResolverTest, WithoutAKernelTheGuestIsNotReady) {
  resolver_.detach();
  EXPECT_EQ(resolver_.resolve(moment(guest_.init_task())),
            static_cast<std::uint32_t>(Unknown::guest_not_ready));
}

TEST_F(GuestResolverTest, WhoWasBornAfterTheEventIsNotSure) {
  GuestMoment before = moment(0);
  pass(kSecond);
  std::uint64_t late = task(50, "late");
  pass(kSecond);
  resolver_.refresh();
  before.current = late;
  EXPECT_EQ(who(before).confidence, Confidence::low);
  EXPECT_EQ(who(moment(late)).confidence, Confidence::high);
}

TEST_F(GuestResolverTest, APidThatIsUsedAgainIsAnotherProcess) {
  std::uint64_t at = task(60, "first");
  pass(kSecond);
  resolver_.refresh();
  std::uint32_t first = resolver_.resolve(moment(at));
  pass(kSecond);
  guest_.put(at + SyntheticGuest::kStart, host_now - 100 * kSecond);
  guest_.put_text(at + SyntheticGuest::kComm, std::string_view("second", 7));
  pass(kSecond);
  resolver_.refresh();
  std::uint32_t second = resolver_.resolve(moment(at));
  ASSERT_NE(first, second);
  EXPECT_EQ(table_[first].pid, table_[second].pid);
  EXPECT_LT(table_[first].start_ns, table_[second].start_ns);
  EXPECT_EQ(table_[second].comm, "second");
}

TEST_F(GuestResolverTest, AProcessThatDiedBeforeItsEventWasReadIsItsPredecessorsAtMostUnsurely) {
  std::uint64_t at = task(61, "dead");
  pass(kSecond);
  resolver_.refresh();
  resolver_.resolve(moment(at));
  pass(kSecond);
  GuestMoment last_event = moment(at);
  pass(kSecond);
  guest_.put(at + SyntheticGuest::kPid, std::int32_t{62});
  guest_.put(at + SyntheticGuest::kTgid, std::int32_t{62});
  guest_.put(at + SyntheticGuest::kStart, host_now - 100 * kSecond);
  pass(kSecond);
  resolver_.refresh();
  auto process = who(last_event);
  EXPECT_EQ(process.pid, 61);
  EXPECT_EQ(process.confidence, Confidence::low);
}

TEST_F(GuestResolverTest, MemoryThatIsNoTaskIsNobody) {
  std::uint64_t at = task(63, "gone");
  guest_.put(at + SyntheticGuest::kPid, std::int32_t{-5});
  EXPECT_EQ(resolver_.resolve(moment(at)), static_cast<std::uint32_t>(Unknown::not_resolved));
  for (std::uint64_t wild : {std::uint64_t{0}, std::uint64_t{0x401000}, ~std::uint64_t{7},
                             std::uint64_t{0xffff888000000000} + SyntheticGuest::kBytes})
    EXPECT_EQ(resolver_.resolve(moment(wild)), static_cast<std::uint32_t>(Unknown::not_resolved));
}

TEST_F(GuestResolverTest, ATaskReadAtTheExitNeedsNoMemory) {
  GuestTask task;
  task.address = guest_.direct_map() + 0x777000;
  task.pid = task.tgid = 70;
  task.comm = "brief";
  GuestMoment m = moment(task.address);
  m.process = resolver_.enter(task);
  EXPECT_EQ(who(m).pid, 70);
  EXPECT_EQ(who(m).confidence, Confidence::high);
  EXPECT_EQ(who(m).how, "task read at the exit");
  task.pid = 5 << 20;
  EXPECT_EQ(resolver_.enter(task), static_cast<std::uint32_t>(Unknown::not_resolved));
}

TEST_F(GuestResolverTest, PageTablesInUserModeAreSureOnlyIfTheyWereTheProcesssBeforeAndAfter) {
  std::uint64_t app = task(80, "app");
  GuestMoment early = in_user_mode(guest_.cr3_of(app));
  EXPECT_EQ(who(early).pid, 80);
  EXPECT_EQ(who(early).confidence, Confidence::low);  // not seen before
  pass(kSecond);
  GuestMoment between = in_user_mode(guest_.cr3_of(app) | 0x8000000000000007);
  pass(kSecond);
  resolver_.resolve(in_user_mode(guest_.cr3_of(app)));  // walks again
  EXPECT_EQ(who(between).confidence, Confidence::high);
  EXPECT_THAT(who(between).how, StartsWith("page tables, in user mode"));
}

TEST_F(GuestResolverTest, WithPageTableIsolationTheUsersRootIsTheProcesss) {
  std::uint64_t app = task(81, "app");
  std::uint64_t cr3 = guest_.cr3_of(app);
  ASSERT_EQ(cr3 & 0x1000, 0u);
  // Without isolation the next page is anybody's.
  EXPECT_EQ(resolver_.resolve(in_user_mode(cr3 | 0x1000)),
            static_cast<std::uint32_t>(Unknown::not_resolved));
  guest_.word_at(cr3 | 0x1000) = guest_.word_at(cr3) | 1ULL << 63;
  pass(kSecond);
  EXPECT_EQ(who(in_user_mode(cr3 | 0x1000)).pid, 81);
}

TEST_F(GuestResolverTest, InKernelModePageTablesAreAHintSinceKernelThreadsBorrowThem) {
  std::uint64_t app = task(82, "app");
  GuestMoment m = in_user_mode(guest_.cr3_of(app));
  m.cpl = std::uint8_t{0};
  m.rip = SyntheticGuest::kText;
  who(m);
  pass(kSecond);
  m.time = host_now;
  pass(kSecond);
  EXPECT_EQ(who(m).confidence, Confidence::low);
}

TEST_F(GuestResolverTest, SharedPageTablesAreNobodys) {
  std::uint64_t app = task(83, "parent");
  std::uint64_t child = task(84, "vfork");
  guest_.put(child + SyntheticGuest::kMm,
             guest_.word_at(guest_.physical(app + SyntheticGuest::kMm)));
  EXPECT_EQ(resolver_.resolve(in_user_mode(guest_.cr3_of(app))),
            static_cast<std::uint32_t>(Unknown::not_resolved));
}

TEST_F(GuestResolverTest, AnEventCostsNoReadingOnceItsTaskIsKnown) {
  std::uint64_t app = task(90, "app");
  pass(kSecond);
  resolver_.refresh();
  GuestMoment m = moment(app);
  resolver_.resolve(m);
  m.time -= 2000;  // before that reading
  guest_.reads() = {};
  for (int i = 0; i < 1000; ++i) resolver_.resolve(m);
  EXPECT_EQ(guest_.reads().calls, 0u);
  m.time = host_now + kSecond;
  resolver_.resolve(m);
  EXPECT_LE(guest_.reads().calls, 40u);
}

TEST_F(GuestResolverTest, AGuestThatMakesUpTasksIsForgottenInTime) {
  GuestTask task;
  std::uint32_t last = 0;
  for (std::uint32_t i = 0; i < GuestProcesses::kMost + 10; ++i) {
    task.pid = task.tgid = 1000;
    task.start_ns = i;
    last = resolver_.enter(task);
  }
  EXPECT_EQ(last, static_cast<std::uint32_t>(Unknown::not_resolved));
  EXPECT_EQ(table_.size(), GuestProcesses::kMost);
}

TEST_F(GuestResolverTest, AClockThatGoesBackIsAnotherBoot) {
  pass(10 * kSecond);
  EXPECT_TRUE(resolver_.refresh());
  guest_.set_clock(kSecond);
  EXPECT_FALSE(resolver_.refresh());
  EXPECT_EQ(resolver_.kernel(), nullptr);
}

TEST_F(GuestResolverTest, AKernelThatIsOverwrittenIsGone) {
  Bytes zeros(0x200000);
  guest_.put_bytes(SyntheticGuest::kText, zeros);
  pass(2 * kSecond);
  EXPECT_FALSE(resolver_.refresh());
}

}  // namespace
}  // namespace iovm::record
