// SPDX-License-Identifier: Apache-2.0
//
// Which VMs the BPF program records: those that were asked for, by process and not by number.
#include <gmock/gmock.h>

#include <filesystem>

#include "base/format.h"
#include "record/proc_process.h"
#include "unit/record/bpf_fixture.h"
#include "unit/record/pretend_vm.h"

namespace iovm::record {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

// A /proc that tells when processes began; its session reads no other.
class BpfVmsTest : public BpfSessionTest {
 protected:
  void SetUp() override {
    BpfSessionTest::SetUp();
    if (IsSkipped()) return;
    auto session = BpfSession::open(proc_.path());
    ASSERT_TRUE(session) << session.error().message();
    session_ = std::move(*session);
  }
  void began(std::int32_t pid, std::uint64_t ticks) {
    std::string folder = format("{}/{}", proc_.path(), pid);
    std::filesystem::create_directories(folder);
    std::string name = "a) name (";  // as any process can have one
    ASSERT_TRUE(write_file(folder + "/stat", format("{} ({}) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 "
                                                    "16 17 18 {} 20 21\n",
                                                    pid, name, ticks)));
  }
  static std::uint64_t own_start() {
    return ProcProcess("/proc", ::getpid()).started().value_or(0);
  }

  ScratchFolder proc_;
};

TEST_F(BpfVmsTest, TheVmIsTheProcessThatBeganThen) {
  began(::getpid(), own_start());
  ASSERT_TRUE(add());
  start();
  run(10);
  EXPECT_THAT(records(), SizeIs(TinyVm::accesses(10) + 1));
}

TEST_F(BpfVmsTest, AnotherProcessOfTheSameNumberIsNotRecorded) {
  began(::getpid(), own_start() - 1);
  ASSERT_TRUE(add());
  start();
  run(10);
  EXPECT_THAT(records(), SizeIs(0));
  began(::getpid(), own_start());  // the number comes round to a VM that is asked for
  ASSERT_TRUE(add());
  run(10);
  EXPECT_THAT(records(), SizeIs(TinyVm::accesses(10) + 1));
}

TEST_F(BpfVmsTest, AVmThatIsRemovedIsNotRecorded) {
  began(::getpid(), own_start());
  ASSERT_TRUE(add());
  start();
  run(10);
  session_->remove_vm(::getpid());
  run(10);
  EXPECT_THAT(records(), SizeIs(TinyVm::accesses(10) + 1));
}

TEST_F(BpfVmsTest, AProcessThatHasEndedIsNoVm) {
  EXPECT_TRUE(session_->add_vm(::getpid()));
  start();
  run(10);
  EXPECT_THAT(records(), SizeIs(0));
}

TEST_F(BpfVmsTest, MoreVmsThanThereIsRoomForAreRefusedAndRoomIsUsedAgain) {
  constexpr std::int32_t kFirst = 100'000;
  began(kFirst, 7);
  for (std::int32_t i = 1; i <= IOVM_MAX_VMS; ++i)
    std::filesystem::create_directory_symlink(std::to_string(kFirst),
                                              format("{}/{}", proc_.path(), kFirst + i));
  for (std::int32_t i = 0; i < IOVM_MAX_VMS; ++i) {
    auto added = session_->add_vm(kFirst + i);
    ASSERT_TRUE(added) << added.error().message();
  }
  auto one_more = session_->add_vm(kFirst + IOVM_MAX_VMS);
  ASSERT_FALSE(one_more);
  EXPECT_THAT(one_more.error().message(), HasSubstr("records 4096 VMs at a time"));
  session_->remove_vm(kFirst + 5);
  EXPECT_TRUE(session_->add_vm(kFirst + IOVM_MAX_VMS));
  iovm_guest guest = {};
  guest.tgid = kFirst + IOVM_MAX_VMS;
  EXPECT_TRUE(session_->set_guest(guest));
  guest.tgid = kFirst + 5;
  EXPECT_FALSE(session_->set_guest(guest));
}

TEST(ProcProcess, TheStartIsTheSameInATimeNamespace) {
  ScratchFolder proc;
  std::filesystem::create_directories(proc.path() + "/7");
  std::filesystem::create_directories(proc.path() + "/self");
  ASSERT_TRUE(write_file(proc.path() + "/7/stat",
                         "7 (x) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 1500 20\n"));
  EXPECT_EQ(ProcProcess(proc.path(), 7).started(), 1500u);
  ASSERT_TRUE(write_file(proc.path() + "/self/timens_offsets",
                         "monotonic           0         0\nboottime           10  20000000\n"));
  EXPECT_EQ(ProcProcess(proc.path(), 7).started(), 1500u - 1002u);
  EXPECT_FALSE(ProcProcess(proc.path(), 8).started());
}

}  // namespace
}  // namespace iovm::record
