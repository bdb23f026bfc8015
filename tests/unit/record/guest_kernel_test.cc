// SPDX-License-Identifier: Apache-2.0
#include "record/guest_kernel.h"

#include <gmock/gmock.h>

#include "record/guest_doctor.h"
#include "record/guest_kernel_side.h"
#include "unit/record/synthetic_guest.h"

namespace iovm::record {
namespace {

using testing::HasSubstr;
using Era = SyntheticGuest::Era;

class GuestKernelTest : public testing::Test {
 protected:
  // Of a guest that a test has bent.
  KernelSearch search() { return guest_.search(*memory_); }
  // The first check that failed, and why; empty: the kernel was found.
  std::string why_not() { return search().why_not; }
  void rewrite_info(const std::string& text) {
    Bytes nothing(2 * 4096);
    guest_.put_bytes(guest_.direct_map() + SyntheticGuest::kInfo, nothing);
    guest_.put_text(guest_.direct_map() + SyntheticGuest::kInfo, text);
  }
  std::string info_with(std::string_view old_text, std::string_view new_text) {
    std::string text = guest_.vmcoreinfo();
    std::size_t at = text.find(old_text);
    EXPECT_NE(at, std::string::npos);
    return text.replace(at, old_text.size(), new_text);
  }

  SyntheticGuest guest_;
  std::unique_ptr<GuestMemory> memory_ = guest_.memory();
};

struct Shape {
  Era era;
  bool five_levels;
  bool huge_pages;
};
class GuestKernelShapes : public testing::TestWithParam<Shape> {};

TEST_P(GuestKernelShapes, IsFoundWithNothingPrepared) {
  SyntheticGuest guest({GetParam().era, GetParam().five_levels, GetParam().huge_pages, 3, 1});
  auto memory = guest.memory();
  KernelSearch search = guest.search(*memory);
  ASSERT_TRUE(search.kernel) << search.why_not;
  EXPECT_EQ(search.kernel->release, "6.1.0-test");
  ASSERT_EQ(search.kernel->cpus().size(), 3u);
  for (std::uint32_t cpu = 0; cpu < 3; ++cpu) {
    EXPECT_EQ(search.kernel->cpus()[cpu].gs_base, guest.gs_base(cpu));
    EXPECT_EQ(search.kernel->cpus()[cpu].current_hva, guest.physical(guest.current_of(cpu)));
    EXPECT_EQ(search.kernel->cpus()[cpu].preempt_count_hva,
              guest.physical(guest.preempt_count_of(cpu)));
  }
  EXPECT_TRUE(search.kernel->confirmed_by(SyntheticGuest::kCr3 | 7));
  EXPECT_FALSE(search.kernel->confirmed_by(0x800000));
}

TEST_P(GuestKernelShapes, TheKernelSideIsToldTheDirectMapAndTheFirstTask) {
  SyntheticGuest guest({GetParam().era, GetParam().five_levels, GetParam().huge_pages, 1, 1});
  auto memory = guest.memory();
  KernelSearch search = guest.search(*memory);
  ASSERT_TRUE(search.kernel);
  iovm_guest told = kernel_side_of(*search.kernel, 77);
  EXPECT_EQ(told.tgid, 77u);
  ASSERT_EQ(told.ranges, 2u);
  EXPECT_EQ(told.range[0].guest, guest.init_task());
  EXPECT_EQ(told.range[0].vmm, guest.physical(guest.init_task()));
  EXPECT_EQ(told.range[1].guest, guest.direct_map());
  EXPECT_EQ(told.range[1].bytes, SyntheticGuest::kBytes);
  EXPECT_EQ(told.comm, SyntheticGuest::kComm);
  EXPECT_EQ(told.process, SyntheticGuest::kTgid);
}

INSTANTIATE_TEST_SUITE_P(
    All, GuestKernelShapes,
    testing::Values(Shape{Era::current_task, false, true}, Shape{Era::current_task, true, false},
                    Shape{Era::pcpu_hot, false, false}, Shape{Era::pcpu_hot, true, true},
                    Shape{Era::from_base, false, true}, Shape{Era::from_base, true, false},
                    Shape{Era::before_6_0, false, true}, Shape{Era::before_6_0, true, false}));

TEST_F(GuestKernelTest, AVcpuIsTheCpuThatHasItsApicId) {
  SyntheticGuest guest({Era::from_base, false, true, 3, 4});
  auto memory = guest.memory();
  KernelSearch search = SyntheticGuest::search(*memory);
  ASSERT_TRUE(search.kernel) << search.why_not;
  EXPECT_EQ(search.kernel->cpus()[0].vcpu, 0u);
  EXPECT_EQ(search.kernel->cpus()[2].vcpu, 8u);
}

TEST_F(GuestKernelTest, WithoutVmcoreinfoTheGuestIsStillBootingOrNoLinux) {
  rewrite_info("");
  EXPECT_THAT(why_not(), HasSubstr("VMCOREINFO: none in 4096 pages"));
}

TEST_F(GuestKernelTest, ACutVmcoreinfoIsNone) {
  rewrite_info(guest_.vmcoreinfo().substr(0, 60));
  EXPECT_THAT(why_not(), HasSubstr("VMCOREINFO: none"));
}

TEST_F(GuestKernelTest, AThousandForgedTextsDoNotHideTheKernelsOwn) {
  std::string forged = info_with("SYMBOL(_stext)=ffffffff9a", "SYMBOL(_stext)=ffffffff8b");
  for (std::uint64_t page = 0; page < 1000; ++page) {
    std::string text =
        page % 2 == 0 ? forged + std::to_string(page) : format("OSRELEASE={}\n", page);
    guest_.put_text(guest_.direct_map() + 0xb00000 + page * 4096, text);
  }
  KernelSearch found = search();
  EXPECT_TRUE(found.kernel) << found.why_not;
  EXPECT_LT(guest_.reads().calls, 4096u + 1000 * 40);
}

TEST_F(GuestKernelTest, ATextWhoseTablesDoNotMapItsSymbolsIsRefused) {
  rewrite_info(
      info_with("SYMBOL(init_top_pgt)=ffffffff9a001000", "SYMBOL(init_top_pgt)=ffffffff9a002000"));
  EXPECT_THAT(why_not(), HasSubstr("page tables: the root at 0x202000 does not map"));
}

TEST_F(GuestKernelTest, EncryptedMemoryIsSaid) {
  rewrite_info(guest_.vmcoreinfo() + "NUMBER(sme_mask)=140737488355328\n");
  EXPECT_THAT(why_not(), HasSubstr("encrypted"));
}

TEST_F(GuestKernelTest, PageTablesThatMapThemselvesAreJustPageTables) {
  for (std::uint64_t i = 0; i < 256; ++i)
    guest_.word_at(SyntheticGuest::kCr3 + 8 * i) = SyntheticGuest::kCr3 | 3;
  PageTables loop{SyntheticGuest::kCr3, false};
  guest_.reads() = {};
  auto mapped = loop.walk(*memory_, 0);
  ASSERT_TRUE(mapped);
  EXPECT_EQ(mapped->gpa, SyntheticGuest::kCr3);
  EXPECT_EQ(guest_.reads().calls, 4u);
  EXPECT_TRUE(search().kernel);
}

TEST_F(GuestKernelTest, AKallsymsOfNonsenseIsRefused) {
  std::uint64_t names = SyntheticGuest::kText + 0x8000;
  guest_.put(names, std::uint8_t{0});
  EXPECT_THAT(search().check("symbols").detail, HasSubstr("kallsyms_names breaks off at symbol 0"));
  guest_.put(SyntheticGuest::kText + 0x20000, ~std::uint32_t{0});
  EXPECT_THAT(search().check("symbols").detail, HasSubstr("kallsyms_num_syms is 4294967295"));
}

TEST_F(GuestKernelTest, ABtfOfNonsenseIsRefused) {
  guest_.lose_types();
  EXPECT_THAT(why_not(), HasSubstr("types: not BTF; a scan of the kernel's image finds none"));
}

TEST_F(GuestKernelTest, ATaskListThatRunsInACircleIsRefusedAfterFewReads) {
  std::uint64_t a = guest_.add_task(10, "a", 5);
  std::uint64_t b = guest_.add_task(11, "b", 6);
  guest_.put(b + SyntheticGuest::kTasks, a + SyntheticGuest::kTasks);
  EXPECT_THAT(why_not(), HasSubstr("task list: the task list runs in a circle"));
  auto kernel = search();
  EXPECT_FALSE(kernel.kernel);
}

TEST_F(GuestKernelTest, AThreadListThatLeadsToItselfEnds) {
  KernelSearch found = search();
  ASSERT_TRUE(found.kernel);
  std::uint64_t a = guest_.add_task(10, "a", 5);
  guest_.put(a + SyntheticGuest::kThreadNode, a + SyntheticGuest::kThreadNode);
  std::uint64_t b = guest_.add_task(11, "b", 5);
  std::uint64_t thread = guest_.add_task(12, "b2", 5, 0, b);
  guest_.put(thread + SyntheticGuest::kThreadNode, thread + SyntheticGuest::kThreadNode);
  TaskWalk walk =
      walk_tasks(found.kernel->space(), found.kernel->layout(), {.time = std::chrono::hours(1)});
  EXPECT_TRUE(walk.closed);
  EXPECT_EQ(walk.tasks.size(), 5u);
}

TEST_F(GuestKernelTest, AWildPointerInTheTaskListIsRefused) {
  std::uint64_t a = guest_.add_task(10, "a", 5);
  for (std::uint64_t wild : {std::uint64_t{0}, std::uint64_t{0x4141414141414141},
                             guest_.direct_map() + SyntheticGuest::kBytes + 8, ~std::uint64_t{0}}) {
    guest_.put(a + SyntheticGuest::kTasks, wild);
    EXPECT_THAT(why_not(), HasSubstr("task list: ")) << wild;
  }
}

TEST_F(GuestKernelTest, AListWithoutEndIsLeftAtItsLimit) {
  KernelSearch found = search();
  ASSERT_TRUE(found.kernel);
  for (int i = 0; i < 500; ++i) guest_.add_task(100 + i, "more", 5, 0x200000);
  guest_.reads() = {};
  TaskWalk walk = walk_tasks(found.kernel->space(), found.kernel->layout(),
                             {.tasks = 100, .time = std::chrono::hours(1)});
  EXPECT_FALSE(walk.closed);
  EXPECT_EQ(walk.tasks.size(), 100u);
  EXPECT_LT(guest_.reads().calls, 100u * 16);
}

TEST_F(GuestKernelTest, ACommIsRawAndItsDoctorEscapesIt) {
  SyntheticGuest guest;
  guest.put_text(guest.direct_map() + 0x600000 + SyntheticGuest::kComm, "\x1b[31m\xff\xfe\n");
  auto memory = guest.memory();
  KernelSearch search = guest.search(*memory);
  ASSERT_TRUE(search.kernel) << search.why_not;
  std::string pid_1 = search.check("first process").detail;
  EXPECT_THAT(pid_1, HasSubstr("\\x1b[31m"));
  EXPECT_EQ(pid_1.find('\x1b'), std::string::npos);
  auto task = read_task(search.kernel->space(), search.kernel->layout().task,
                        guest.direct_map() + 0x600000);
  ASSERT_TRUE(task);
  EXPECT_EQ(task->comm, "\x1b[31m\xff\xfe\n");
}

TEST_F(GuestKernelTest, IsGoneWhenItsFirstTaskOrItsPerCpuDataAre) {
  KernelSearch found = search();
  ASSERT_TRUE(found.kernel);
  EXPECT_TRUE(found.kernel->still_there());
  guest_.put(SyntheticGuest::kText + 0x4000, guest_.gs_base(0) + 64);
  EXPECT_FALSE(found.kernel->still_there());
  guest_.put(SyntheticGuest::kText + 0x4000, guest_.gs_base(0));
  guest_.put_text(guest_.init_task() + SyntheticGuest::kComm, "BIOS");
  EXPECT_FALSE(found.kernel->still_there());
}

TEST_F(GuestKernelTest, ASearchStopsWhenItIsTold) {
  EXPECT_FALSE(SyntheticGuest::search(*memory_, {[] { return true; }, {}}).kernel);
  EXPECT_LT(guest_.reads().calls, 10u);
}

TEST_F(GuestKernelTest, ARejectedTextIsPassedOverAndItsCopyTaken) {
  KernelSearch first = search();
  ASSERT_TRUE(first.kernel);
  rewrite_info(guest_.vmcoreinfo());
  guest_.put_text(guest_.direct_map() + 0xf00000, guest_.vmcoreinfo() + "CRASHTIME=0\n");
  SearchLimits limits;
  limits.rejected = {0xf00000};
  KernelSearch second = SyntheticGuest::search(*memory_, limits);
  ASSERT_TRUE(second.kernel);
  EXPECT_EQ(second.kernel->text_at, SyntheticGuest::kInfo);
}

}  // namespace
}  // namespace iovm::record
