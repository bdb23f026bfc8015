// SPDX-License-Identifier: Apache-2.0
#include "record/vm_tracker.h"

#include <gtest/gtest.h>

#include "unit/record/pretend_vm.h"

namespace iovm::record {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

class VmTrackerTest : public testing::Test {
 protected:
  VmTrackerTest() { std::filesystem::create_directories(proc.path); }

  VmTracker track(std::vector<std::string> wanted, bool wait = false) {
    auto tracker = VmTracker::create(proc, std::move(wanted), wait);
    EXPECT_TRUE(tracker) << tracker.error().message();
    return std::move(*tracker);
  }
  std::string of(const PretendVm& vm) const { return proc.path + "/" + std::to_string(vm.pid()); }
  void add_vcpu(const PretendVm& vm, int id, int fd) {
    std::filesystem::create_symlink("anon_inode:kvm-vcpu:" + std::to_string(id),
                                    of(vm) + "/fd/" + std::to_string(fd));
  }
  void add_thread(const PretendVm& vm, int tid, const std::string& comm) {
    std::filesystem::create_directories(of(vm) + "/task/" + std::to_string(tid));
    std::ofstream(of(vm) + "/task/" + std::to_string(tid) + "/comm") << comm << '\n';
  }
  int fd_of_vcpu_0(const PretendVm& vm) const {
    for (const auto& entry : std::filesystem::directory_iterator(of(vm) + "/fd")) {
      if (std::filesystem::read_symlink(entry.path()) == "anon_inode:kvm-vcpu:0")
        return std::stoi(entry.path().filename());
    }
    return -1;
  }

  ScratchFolder folder;
  ProcRoot proc{folder.path() + "/proc"};
};

TEST_F(VmTrackerTest, AThreadOfARecordedVmHasItsIndex) {
  PretendVm a(proc.path, "a");
  PretendVm b(proc.path, "b");
  VmTracker tracker = track({"a", "b"});
  EXPECT_EQ(tracker.place(b.pid(), b.pid(), 1).vm, 1);
  EXPECT_EQ(tracker.place(a.pid(), a.pid(), 1).vm, 0);
  EXPECT_TRUE(tracker.place(a.pid(), a.pid(), 1).ours);
}

TEST_F(VmTrackerTest, OneVmByTwoNamesIsOne) {
  PretendVm a(proc.path, "a");
  VmTracker tracker = track({"a", std::to_string(a.pid()), "all"});
  EXPECT_EQ(tracker.vms().size(), 1u);
  EXPECT_EQ(tracker.running(), 1u);
}

TEST_F(VmTrackerTest, AThreadOfAnotherVmIsNotOurs) {
  PretendVm a(proc.path, "a");
  PretendVm b(proc.path, "b");
  VmTracker tracker = track({"a"});
  EXPECT_FALSE(tracker.place(b.pid(), b.pid(), 1).ours);
  EXPECT_FALSE(tracker.place(999'999, 999'999, 1).ours);
}

TEST_F(VmTrackerTest, TheOnlyVcpuIsWhoeverFires) {
  PretendVm a(proc.path, "a");
  VmTracker tracker = track({"a"});
  EXPECT_EQ(tracker.place(a.pid(), 777, 1).vcpu, std::uint16_t{0});
}

TEST_F(VmTrackerTest, AKernelWorkerThatAVcpuThreadMadeIsNoVcpu) {
  PretendVm a(proc.path, "a");
  add_thread(a, 701, "kvm-nx-lpage-re");
  // As Linux 6.18 shows it: its maker's KVM_RUN, and neither stack nor code in user space.
  std::ofstream(of(a) + "/task/701/syscall")
      << "16 0x" << std::hex << fd_of_vcpu_0(a) << " 0xae80 0x0 0x0 0x561402332290 0x0 0x0 0x0\n";
  VmTracker tracker = track({"a"});
  EXPECT_EQ(tracker.place(a.pid(), 700, 1).vcpu, std::uint16_t{0});
}

TEST_F(VmTrackerTest, AThreadIsTheVcpuThatItsNameSays) {
  PretendVm a(proc.path, "a");
  add_vcpu(a, 1, 21);
  add_vcpu(a, 2, 22);
  add_thread(a, 701, "CPU 2/KVM");
  VmTracker tracker = track({"a"});
  EXPECT_EQ(tracker.place(a.pid(), 701, 1).vcpu, std::uint16_t{2});
}

TEST_F(VmTrackerTest, AVcpuThatNothingTellsIsAbsentUntilSomethingDoes) {
  PretendVm a(proc.path, "a");
  add_vcpu(a, 1, 21);
  add_thread(a, 701, "qemu-system-x86");
  VmTracker tracker = track({"a"});
  EXPECT_EQ(tracker.place(a.pid(), 701, kSecond).vcpu, std::nullopt);
  add_thread(a, 701, "CPU 1/KVM");
  EXPECT_EQ(tracker.place(a.pid(), 701, kSecond + 1).vcpu, std::nullopt) << "not asked each time";
  EXPECT_EQ(tracker.place(a.pid(), 701, 3 * kSecond).vcpu, std::uint16_t{1});
}

TEST_F(VmTrackerTest, AHotPluggedVcpuIsFoundWhenItsThreadFires) {
  PretendVm a(proc.path, "a");
  add_thread(a, 700, "CPU 0/KVM");
  VmTracker tracker = track({"a"});
  tracker.place(a.pid(), 700, 1);
  add_vcpu(a, 1, 21);
  add_thread(a, 701, "CPU 1/KVM");
  EXPECT_EQ(tracker.place(a.pid(), 701, 2).vcpu, std::uint16_t{1});
  EXPECT_EQ(tracker.place(a.pid(), 700, 2).vcpu, std::uint16_t{0});
}

TEST_F(VmTrackerTest, ATidThatComesRoundInAnotherProcessIsLookedAtAnew) {
  PretendVm a(proc.path, "a");
  VmTracker tracker = track({"a"});
  EXPECT_TRUE(tracker.place(a.pid(), 777, 1).ours);
  EXPECT_TRUE(tracker.place(a.pid(), 778, 1).ours);
  EXPECT_FALSE(tracker.place(4'000'001, 777, 2).ours);
}

TEST_F(VmTrackerTest, AMissingVmIsAnErrorUnlessItIsWaitedFor) {
  EXPECT_FALSE(VmTracker::create(proc, {"later"}, false));
  VmTracker tracker = track({"later"}, true);
  EXPECT_TRUE(tracker.waiting());
  EXPECT_FALSE(tracker.finished());
  PretendVm later(proc.path, "later");
  EXPECT_TRUE(tracker.place(later.pid(), later.pid(), 1).ours);
  EXPECT_FALSE(tracker.waiting());
  EXPECT_EQ(tracker.running(), 1u);
}

TEST_F(VmTrackerTest, AVmThatIsWaitedForIsKnownBeforeItsFirstEvent) {
  VmTracker tracker = track({"later"}, true);
  tracker.look_for_wanted(tracker.next_look());
  EXPECT_TRUE(tracker.waiting());
  PretendVm later(proc.path, "later");
  tracker.look_for_wanted(tracker.next_look());
  EXPECT_FALSE(tracker.waiting());
  std::filesystem::remove_all(of(later));  // it has ended when its events are read
  EXPECT_TRUE(tracker.place(later.pid(), 777, 1).ours);
}

TEST_F(VmTrackerTest, OfAllVmsOneThatEndedBeforeItWasLookedAtIsOneWithoutAName) {
  VmTracker tracker = track({"all"}, true);
  EXPECT_TRUE(tracker.place(4'000'001, 4'000'002, 1).ours);
  ASSERT_EQ(tracker.vms().size(), 1u);
  EXPECT_EQ(tracker.vms()[0].pid, 4'000'001);
  EXPECT_EQ(tracker.vms()[0].name, "");
  EXPECT_EQ(tracker.running(), 0u);
  EXPECT_TRUE(tracker.finished());
}

TEST_F(VmTrackerTest, TheEndOfTheLastVmIsTheEnd) {
  PretendVm a(proc.path, "a");
  PretendVm b(proc.path, "b");
  VmTracker tracker = track({"a", "b"});
  std::int32_t pid = a.pid();
  a.end();
  tracker.check_ends();
  EXPECT_EQ(tracker.running(), 1u);
  EXPECT_FALSE(tracker.finished());
  EXPECT_TRUE(tracker.place(pid, pid, 1).ours) << "its last events may still be in the rings";
  b.end();
  tracker.check_ends();
  EXPECT_TRUE(tracker.finished());
  EXPECT_EQ(tracker.ended(), 2u);
}

TEST_F(VmTrackerTest, TheVcpusOfOtherVmsAreForeignUnlessAllAreWanted) {
  PretendVm a(proc.path, "a");
  PretendVm b(proc.path, "b");
  add_thread(a, 700, "CPU 0/KVM");
  add_thread(b, 800, "CPU 0/KVM");
  auto foreign = track({"a"}).foreign_threads();
  ASSERT_TRUE(foreign);
  EXPECT_EQ(*foreign, std::vector<std::int32_t>{800});
  EXPECT_TRUE(track({"all"}).foreign_threads()->empty());
  EXPECT_TRUE(track({"a", "later"}, true).foreign_threads()->empty());
}

TEST_F(VmTrackerTest, OwnsTheThreadsThatItsVmsHaveNow) {
  PretendVm a(proc.path, "a");
  VmTracker tracker = track({"a"});
  EXPECT_FALSE(tracker.owns(700));
  add_thread(a, 700, "worker");
  EXPECT_TRUE(tracker.owns(700));
}

}  // namespace
}  // namespace iovm::record
