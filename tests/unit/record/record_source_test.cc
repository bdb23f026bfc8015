// SPDX-License-Identifier: Apache-2.0
#include "record/record_source.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "base/clock.h"
#include "base/format.h"
#include "record/kmod_device.h"
#include "record/ring_record.h"
#include "unit/record/fake_session.h"

namespace iovm::record {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using trace::Event;
using trace::EventKind;
using trace::Field;
using trace::LossCause;

TEST(RingRecord, SaysAllThatItMarks) {
  iovm_record r = FakeKmodRing::read_of(5, 0x3f5);
  r.direction = IOVM_WRITE, r.vcpu = 3, r.rip = 7, r.cr3 = 8, r.cpl = 3;
  r.present |= IOVM_HAS_RIP | IOVM_HAS_CR3 | IOVM_HAS_CPL;
  Event e;
  ASSERT_EQ(decode_record(r, e), Decoded::event);
  EXPECT_EQ(e.kind, EventKind::pio);
  EXPECT_EQ(e.direction, trace::Direction::write);
  EXPECT_EQ(e.address, 0x3f5u);
  EXPECT_EQ(e.value, 0xf5u);
  EXPECT_EQ(e.size, 1);
  EXPECT_EQ(e.vcpu, 3);
  EXPECT_EQ(e.rip, 7u);
  EXPECT_EQ(e.cr3, 8u);
  EXPECT_EQ(e.cpl, 3);
}

TEST(RingRecord, WhatIsNotMarkedIsAbsentAndZero) {
  iovm_record r = FakeKmodRing::read_of(5, 1);
  r.present = 0, r.rip = 7, r.cr3 = 8, r.cpl = 3, r.vcpu = 9;
  Event e, bare;
  ASSERT_EQ(decode_record(r, e), Decoded::event);
  bare.address = 1;
  EXPECT_EQ(e, bare);
}

TEST(RingRecord, AKindOrDirectionThatIsNoneIsMalformed) {
  iovm_record r = FakeKmodRing::read_of(5, 1);
  Event e;
  r.kind = 77;
  EXPECT_EQ(decode_record(r, e), Decoded::malformed);
  r.kind = IOVM_PIO, r.direction = 2;
  EXPECT_EQ(decode_record(r, e), Decoded::malformed);
}

TEST(RingRecord, ALossHasItsCause) {
  iovm_record r = {};
  r.value = 12, r.count = IOVM_DROP_FULL;
  EXPECT_EQ(loss_in(r).cause, LossCause::ring);
  EXPECT_EQ(loss_in(r).count, 12u);
  r.count = IOVM_DROP_NO_RING;
  EXPECT_EQ(loss_in(r).cause, LossCause::source);
}

TEST(KmodDevice, AMissingModuleNamesTheNextStep) {
  auto device = KmodDevice::open("/nowhere/iovm");
  ASSERT_FALSE(device);
  EXPECT_EQ(device.error().fault(), Fault::host);
  EXPECT_THAT(device.error().message(), HasSubstr("modprobe iovm"));
}

// A VMM that lives as long as the test wants, and a /proc where it and a second VM stand.
class RecordSourceTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ = std::filesystem::path(testing::TempDir()) / format("kmod-proc-{}", ::getpid());
    start_vm("one");
    rings_.emplace_back(64, 0);
    rings_.emplace_back(64, 1);
    session_ = std::make_unique<FakeSession>(rings_);
    fake_ = session_.get();
  }
  void TearDown() override {
    end_vm();
    std::filesystem::remove_all(root_);
  }
  void start_vm(std::string_view name) {
    vmm_ = ::fork();
    if (vmm_ == 0) {
      ::pause();
      ::_exit(0);
    }
    add_process(vmm_, name);
  }
  void end_vm() {
    if (vmm_ <= 0) return;
    ::kill(vmm_, SIGKILL);
    ::waitpid(vmm_, nullptr, 0);
    vmm_ = -1;
  }
  void add_process(pid_t pid, std::string_view name) {
    auto at = root_ / std::to_string(pid);
    std::filesystem::create_directories(at / "fd");
    std::filesystem::create_directories(at / "task" / std::to_string(pid));
    std::filesystem::create_symlink("anon_inode:kvm-vm", at / "fd" / "5");
    std::filesystem::create_symlink("anon_inode:kvm-vcpu:0", at / "fd" / "6");
    std::filesystem::create_symlink("/usr/bin/qemu-system-x86_64", at / "exe");
    using namespace std::string_literals;
    ASSERT_TRUE(write_file(at / "comm", "qemu\n"));
    ASSERT_TRUE(write_file(at / "cmdline", "qemu\0-name\0"s + std::string(name) + "\0"s));
    ASSERT_TRUE(write_file(at / "maps", ""));
    ASSERT_TRUE(write_file(at / "status", format("Name:\tqemu\nTgid:\t{}\n", pid)));
  }
  void open(std::string wanted = "one", bool wait = false) {
    LiveRequest request;
    request.vms = {std::move(wanted)};
    request.wait = wait;
    request.proc.path = root_;
    auto source = RecordSource::open(request, std::move(session_), stop_);
    ASSERT_TRUE(source) << source.error().message();
    source_ = std::move(*source);
  }
  iovm_record read_of(std::uint64_t time, std::uint64_t number, std::uint16_t vcpu = 0) const {
    iovm_record r = FakeKmodRing::read_of(time, number);
    r.tgid = static_cast<std::uint32_t>(vmm_), r.tid = r.tgid + 1 + vcpu, r.vcpu = vcpu;
    return r;
  }
  void put(std::size_t ring, std::uint64_t time, std::uint64_t number) {
    rings_[ring].put(read_of(time, number));
    ++fake_->said.records;
  }
  // The events of the next batch; nothing: none came within 20 ms.
  std::vector<Event> batch() {
    auto got = source_->next_within(std::chrono::milliseconds(20));
    EXPECT_TRUE(got) << got.error().message();
    ended_ = got->ended;
    return {got->events.begin(), got->events.end()};
  }
  std::vector<Event> all() {
    std::vector<Event> events;
    for (ended_ = false; !ended_;) {
      for (const Event& e : batch()) events.push_back(e);
    }
    return events;
  }
  static std::vector<std::uint64_t> ports(const std::vector<Event>& events) {
    std::vector<std::uint64_t> out;
    for (const Event& e : events) out.push_back(e.kind == EventKind::loss ? 0 : e.address);
    return out;
  }

  pid_t vmm_ = -1;
  std::filesystem::path root_;
  std::deque<FakeKmodRing> rings_;
  std::unique_ptr<FakeSession> session_;
  FakeSession* fake_ = nullptr;
  StopFlag stop_ = std::move(*StopFlag::create());
  std::unique_ptr<RecordSource> source_;
  bool ended_ = false;
};

TEST_F(RecordSourceTest, GivesTheEventsOfAllCpusInOrderWhileTheVmRuns) {
  open();
  put(0, 10, 1);
  put(1, 20, 2);
  put(0, 30, 3);
  EXPECT_THAT(ports(batch()), ElementsAre(1, 2, 3));
  EXPECT_THAT(fake_->added, ElementsAre(vmm_));
  EXPECT_FALSE(fake_->all);
  EXPECT_FALSE(ended_);
  EXPECT_EQ(source_->context().vms.at(0).name, "one");
}

TEST_F(RecordSourceTest, EndsWithItsVmAndGivesWhatIsLeft) {
  open();
  put(0, monotonic_ns() + 1'000'000'000, 1);  // too young for a round
  batch();
  end_vm();
  EXPECT_THAT(ports(all()), ElementsAre(1));
  EXPECT_EQ(source_->ended(), 1u);
  EXPECT_EQ(source_->stats().lost.all(), 0u);
}

TEST_F(RecordSourceTest, AVmThatHasEndedIsTakenFromTheSession) {
  open();
  put(0, 10, 1);
  batch();
  EXPECT_THAT(fake_->removed, IsEmpty());
  end_vm();
  fake_->wake();
  batch();
  EXPECT_THAT(fake_->removed, ElementsAre(fake_->added.front()));
}

TEST_F(RecordSourceTest, EndsWhenItIsStopped) {
  open();
  put(0, 10, 1);
  stop_.stop();
  EXPECT_THAT(ports(all()), ElementsAre(1));
  EXPECT_TRUE(batch().empty());
}

TEST_F(RecordSourceTest, ALossStandsBeforeTheNextEventOfItsVcpu) {
  rings_.pop_back();
  rings_.front() = FakeKmodRing(2);
  open();
  put(0, 10, 1);
  put(0, 11, 2);
  put(0, 12, 3);  // no room
  put(0, 13, 4);  // nor here
  fake_->said = {2, 2};
  EXPECT_THAT(ports(batch()), ElementsAre(1, 2));
  rings_[0].put(read_of(20, 5));
  ++fake_->said.records;
  stop_.stop();
  auto events = all();
  ASSERT_THAT(ports(events), ElementsAre(0, 5));
  EXPECT_EQ(loss_of(events[0]).count, 2u);
  EXPECT_EQ(events[0].vm, 0);
  EXPECT_TRUE(events[0].has(Field::vcpu));
  EXPECT_EQ(source_->stats().lost.ring, 2u);
}

TEST_F(RecordSourceTest, LossesThatFoundNoRoomComeAtTheEnd) {
  rings_.pop_back();
  rings_.front() = FakeKmodRing(2);
  open();
  for (std::uint64_t i = 1; i <= 5; ++i) put(0, i, i);
  fake_->said = {2, 3};
  fake_->at_end = read_of(50, 0);
  stop_.stop();
  EXPECT_THAT(ports(all()), ElementsAre(1, 2, 0));
  EXPECT_EQ(source_->stats().lost.ring, 3u);
  EXPECT_EQ(source_->stats().lost.source, 0u);
}

TEST_F(RecordSourceTest, WhatTheModuleCountedAndNobodySawIsALoss) {
  open();
  put(0, 10, 1);
  fake_->said.records = 4;
  stop_.stop();
  EXPECT_THAT(ports(all()), ElementsAre(1, 0));
  EXPECT_EQ(source_->stats().lost.source, 3u);
  EXPECT_EQ(source_->stats().fired, 4u);
}

TEST_F(RecordSourceTest, ARecordThatSaysNonsenseIsALoss) {
  open();
  iovm_record r = read_of(10, 1);
  r.kind = 99;
  rings_[0].raw(r);
  fake_->said.records = 1;
  stop_.stop();
  EXPECT_THAT(ports(all()), ElementsAre(0));
  EXPECT_EQ(source_->stats().lost.source, 1u);
}

TEST_F(RecordSourceTest, ATaskRecordIsNoEvent) {
  open();
  iovm_record task = read_of(10, 1);
  task.kind = IOVM_TASK;
  rings_[0].raw(task);
  put(0, 10, 2);
  stop_.stop();
  EXPECT_THAT(ports(all()), ElementsAre(2));
  EXPECT_EQ(source_->stats().lost.all(), 0u);
}

TEST_F(RecordSourceTest, ATwoPartReadIsOneEventWithTheTimeOfItsBegin) {
  open();
  iovm_record begins = read_of(10, 0xfed0), ends = begins;
  begins.kind = IOVM_MMIO_BEGINS, begins.value = 0;
  ends.kind = IOVM_MMIO, ends.value = 0x1234, ends.time = 15;
  rings_[0].put(begins);
  rings_[1].put(ends);
  fake_->said.records = 2;
  stop_.stop();
  auto events = all();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].time, 10u);
  EXPECT_EQ(events[0].value, 0x1234u);
}

TEST_F(RecordSourceTest, WaitingForAVmTakesAllAndLeavesOthersAside) {
  open("later", true);
  EXPECT_TRUE(fake_->all);
  put(0, 10, 1);
  EXPECT_TRUE(batch().empty());
  EXPECT_EQ(source_->stats().foreign, 1u);
  std::filesystem::remove_all(root_ / std::to_string(vmm_));
  end_vm();
  start_vm("later");
  put(0, 20, 2);
  fake_->wake();
  EXPECT_THAT(ports(batch()), ElementsAre(2));
  EXPECT_THAT(fake_->added, ElementsAre(vmm_));
}

}  // namespace
}  // namespace iovm::record
