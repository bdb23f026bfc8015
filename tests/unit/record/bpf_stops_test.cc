// SPDX-License-Identifier: Apache-2.0
#include "record/bpf_stops.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "unit/record/bpf_fixture.h"

namespace iovm::record {
namespace {

using testing::SizeIs;
using trace::WriteMatch;

WriteMatch port_write(std::uint64_t port, std::uint64_t mask, std::uint64_t first,
                      std::uint64_t last) {
  WriteMatch write;
  write.number = 7;
  write.address = port;
  write.mask = mask;
  write.first = first;
  write.last = last;
  return write;
}

TEST(BpfStopsTest, WritesToOneAddressAreTestedTogether) {
  WriteMatch memory = port_write(0x3f5, 0, 0, 0);
  memory.memory = true;
  memory.sizes = 4;
  auto places =
      stop_places(std::vector{port_write(0x3f5, 0xff, 1, 2), port_write(0x162, 0xff, 0xaa, 0xaa),
                              port_write(0x3f5, 0x05, 5, 5), memory});
  ASSERT_TRUE(places);
  ASSERT_THAT(*places, SizeIs(3));
  EXPECT_EQ((*places)[0].at.address, 0x162U);
  EXPECT_EQ((*places)[1].at.address, 0x3f5U);
  EXPECT_EQ((*places)[1].at.kind, IOVM_PIO);
  ASSERT_EQ((*places)[1].tests.count, 2U);
  EXPECT_EQ((*places)[1].tests.test[0].last, 2U);
  EXPECT_EQ((*places)[1].tests.test[1].mask, 5U);
  EXPECT_EQ((*places)[2].at.kind, IOVM_MMIO);
  EXPECT_EQ((*places)[2].tests.test[0].sizes, 4);
}

TEST(BpfStopsTest, MoreThanThereIsRoomForIsAnErrorAndNotHalfOfIt) {
  std::vector<WriteMatch> writes(IOVM_BPF_STOP_TESTS, port_write(0x3f5, 0, 0, 0));
  EXPECT_TRUE(stop_places(writes));
  writes.push_back(port_write(0x3f5, 1, 1, 1));
  EXPECT_FALSE(stop_places(writes));
  writes.clear();
  for (std::uint64_t port = 0; port <= IOVM_BPF_MOST_STOPS; ++port) {
    writes.push_back(port_write(port, 0, 0, 0));
  }
  EXPECT_FALSE(stop_places(writes));
}

// A VM of a process of its own, which can be stopped: it runs once for each byte that it is sent.
class OtherVm {
 public:
  OtherVm() {
    if (::pipe2(pipe_, O_CLOEXEC) != 0) return;
    pid_ = ::fork();
    if (pid_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    auto vm = TinyVm::create();
    for (char times = 0; vm && ::read(pipe_[0], &times, 1) == 1;) {
      if (!(*vm)->run(static_cast<unsigned char>(times))) ::_exit(2);
    }
    ::_exit(1);
  }
  ~OtherVm() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    ::close(pipe_[0]);
    ::close(pipe_[1]);
  }
  pid_t pid() const { return pid_; }
  void run(char times) { ASSERT_EQ(::write(pipe_[1], &times, 1), 1); }
  bool stops() const {
    int status = 0;
    return ::waitpid(pid_, &status, WUNTRACED) == pid_ && WIFSTOPPED(status);
  }
  bool stopped() const {
    int status = 0;
    return ::waitpid(pid_, &status, WUNTRACED | WNOHANG) == pid_ && WIFSTOPPED(status);
  }
  void go_on() const { ::kill(pid_, SIGCONT); }

 private:
  int pipe_[2] = {-1, -1};
  pid_t pid_ = -1;
};

class BpfStopsVmTest : public testing::Test {
 protected:
  void SetUp() override {
    if (auto vm = TinyVm::create(); !vm) GTEST_SKIP() << vm.error().message();
    auto session = BpfSession::open("/proc", BpfProgram::Stops::some);
    if (!session) GTEST_SKIP() << session.error().message();
    session_ = std::move(*session);
  }
  void start(std::uint32_t slots = 1U << 14) {
    auto rings = session_->start(slots, 10);
    ASSERT_TRUE(rings) << rings.error().message();
    merge_.emplace(std::move(*rings));
  }
  // Until so many records of the VM have come.
  std::vector<iovm_record> records(std::size_t wanted) {
    std::vector<iovm_record> all;
    for (int i = 0; i < 2000 && all.size() < wanted; ++i) {
      session_->woken();
      merge_->begin_round(RecordMerge::kEverything);
      while (const iovm_record* record = merge_->next()) all.push_back(*record);
      ::usleep(1000);
    }
    return all;
  }

  std::unique_ptr<BpfSession> session_;
  std::optional<RecordMerge> merge_;
};

TEST_F(BpfStopsVmTest, TheVmStopsAtTheWriteAndItsRecordSaysWhy) {
  OtherVm vm;
  ASSERT_TRUE(session_->add_vm(vm.pid()));
  ASSERT_TRUE(session_->set_stops(std::vector{port_write(TinyVm::kOut, 0xff, 0xa0, 0xaf)}));
  start();
  vm.run(5);
  ASSERT_TRUE(vm.stops());
  auto before = records(6);
  ASSERT_THAT(before, SizeIs(6)) << "nothing comes after the write";
  EXPECT_EQ(before[4].present & IOVM_STOPPED, 0);
  EXPECT_EQ(before[5].address, TinyVm::kOut);
  EXPECT_EQ(before[5].value, 0xaaU);
  EXPECT_NE(before[5].present & IOVM_STOPPED, 0);
  EXPECT_EQ(before[5].stopped_by, 7U);
  vm.go_on();
  EXPECT_THAT(records(2), SizeIs(2));
  vm.run(1);
  EXPECT_TRUE(vm.stops()) << "every time";
}

TEST_F(BpfStopsVmTest, OtherWritesReadsAndOtherVmsAreLeftAlone) {
  OtherVm vm, other;
  WriteMatch read = port_write(TinyVm::kIn, 0, 0, 0);
  WriteMatch wide = port_write(TinyVm::kOut, 0, 0, 0);
  wide.sizes = 2 | 4;
  WriteMatch negated = port_write(TinyVm::kOut, 0x0f, 0x0a, 0x0a);
  negated.negated = true;
  WriteMatch memory = port_write(TinyVm::kOut, 0, 0, 0);
  memory.memory = true;
  ASSERT_TRUE(session_->add_vm(vm.pid()));
  ASSERT_TRUE(session_->set_stops(
      std::vector{read, wide, negated, memory, port_write(TinyVm::kOut, 0xff, 0xab, 0xff)}));
  start();
  vm.run(5);
  auto all = records(TinyVm::accesses(5) + 1);
  EXPECT_THAT(all, SizeIs(TinyVm::accesses(5) + 1));
  for (const iovm_record& record : all) EXPECT_EQ(record.present & IOVM_STOPPED, 0);
  ASSERT_TRUE(session_->set_stops(std::vector{port_write(TinyVm::kOut, 0, 0, 0)}));
  other.run(5);
  vm.run(5);
  EXPECT_TRUE(vm.stops());
  EXPECT_FALSE(other.stopped());
}

TEST_F(BpfStopsVmTest, WritesThatAreTakenAwayStopNobody) {
  OtherVm vm;
  ASSERT_TRUE(session_->add_vm(vm.pid()));
  ASSERT_TRUE(session_->set_stops(std::vector{port_write(TinyVm::kOut, 0, 0, 0)}));
  ASSERT_TRUE(session_->set_stops({}));
  start();
  vm.run(5);
  EXPECT_THAT(records(TinyVm::accesses(5) + 1), SizeIs(TinyVm::accesses(5) + 1));
  EXPECT_FALSE(vm.stopped());
}

TEST_F(BpfStopsVmTest, AStopIsToldThoughTheRingIsFull) {
  OtherVm vm;
  ASSERT_TRUE(session_->add_vm(vm.pid()));
  ASSERT_TRUE(session_->set_stops(std::vector{port_write(TinyVm::kOut, 0, 0, 0)}));
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(0, &one);
  ASSERT_EQ(::sched_setaffinity(vm.pid(), sizeof one, &one), 0);
  start(1);  // a page
  vm.run(100);
  ASSERT_TRUE(vm.stops());
  std::size_t stops = 0, accesses = 0;
  for (const iovm_record& record : records(40)) {
    ++accesses;
    if ((record.present & IOVM_STOPPED) == 0) continue;
    ++stops;
    EXPECT_EQ(record.address, TinyVm::kOut);
    EXPECT_EQ(record.stopped_by, 7U);
  }
  EXPECT_EQ(stops, 1U);
  ASSERT_LT(accesses, 100U) << "the ring was not full";
  ASSERT_TRUE(session_->stop());
  ASSERT_TRUE(session_->flush());
  std::uint64_t lost = 0;
  for (const iovm_record& record : records(1)) lost += record.value;
  EXPECT_EQ(accesses + lost, 101U);
}

}  // namespace
}  // namespace iovm::record
