// SPDX-License-Identifier: Apache-2.0
//
// The lesser ways to a guest's kernel: what is not said is looked for in its image.
#include "record/guest_scans.h"

#include <gmock/gmock.h>

#include "record/guest_kallsyms_scan.h"
#include "record/guest_kernel_side.h"
#include "unit/record/synthetic_guest.h"

namespace iovm::record {
namespace {

using testing::HasSubstr;
using Era = SyntheticGuest::Era;
constexpr std::uint64_t kText = SyntheticGuest::kText;

class GuestScansTest : public testing::Test {
 protected:
  KernelSearch search() { return SyntheticGuest::search(*memory_); }
  // "note: ..." of a step.
  std::string step(std::string_view name) {
    KernelSearch found = search();
    constexpr std::string_view kWords[] = {"ok", "note", "failed", "not reached"};
    const GuestCheck& check = found.check(name);
    return format("{}: {}", kWords[static_cast<std::size_t>(check.state)], check.detail);
  }

  SyntheticGuest guest_{{Era::before_6_0, false, true, 2, 1}};
  std::unique_ptr<GuestMemory> memory_ = guest_.memory();
};

TEST_F(GuestScansTest, AKernelThatDoesNotSayWhereItsSymbolsAreHasThemAllTheSame) {
  KernelSearch found = search();
  ASSERT_TRUE(found.kernel) << found.why_not;
  EXPECT_EQ(found.check("symbols").state, GuestCheckState::note);
  EXPECT_THAT(found.check("symbols").detail,
              HasSubstr("1200 in kallsyms, offsets absolute per-CPU, found by a scan (VMCOREINFO "
                        "does not say where kallsyms is)"));
  EXPECT_EQ(found.check("types").state, GuestCheckState::ok);
  EXPECT_EQ(found.check("running tasks").state, GuestCheckState::ok);
  EXPECT_TRUE(found.kernel->layout().clock);
}

TEST_F(GuestScansTest, WithoutAnySymbolsTheKernelsCodeAndDataSayTheSame) {
  KernelSearch by_name = search();
  ASSERT_TRUE(by_name.kernel);
  guest_.lose_symbols();
  KernelSearch found = search();
  ASSERT_TRUE(found.kernel) << found.why_not;
  EXPECT_THAT(step("symbols"),
              HasSubstr("note: none: what they would say is looked for (VMCOREIN"));
  EXPECT_THAT(step("types"), HasSubstr("note: 7 types in BTF, found by a scan"));
  EXPECT_THAT(step("first task"),
              HasSubstr("note: init_task is swapper/0, found by a scan (no sy"));
  EXPECT_THAT(step("running tasks"), HasSubstr("note: CPUs: 2, of which 2 idle"));
  const KernelLayout& layout = found.kernel->layout();
  EXPECT_EQ(layout.task, by_name.kernel->layout().task);
  EXPECT_EQ(layout.init_task, guest_.init_task());
  ASSERT_TRUE(layout.cpu);
  EXPECT_EQ(layout.cpu->per_cpu_offset, by_name.kernel->layout().cpu->per_cpu_offset);
  EXPECT_EQ(layout.cpu->current, by_name.kernel->layout().cpu->current);
  EXPECT_EQ(layout.cpu->preempt_count, by_name.kernel->layout().cpu->preempt_count);
  EXPECT_FALSE(found.to_keep);  // by its names alone
}

TEST_F(GuestScansTest, TheDirectMapIsWhereTheTasksAre) {
  guest_.lose_symbols();
  KernelSearch found = search();
  ASSERT_TRUE(found.kernel);
  iovm_guest told = kernel_side_of(*found.kernel, 77);
  ASSERT_EQ(told.ranges, 2u);
  EXPECT_EQ(told.range[1].guest, guest_.direct_map());
}

// Of what the code says it takes most to be taken: the rest is told by page tables.
TEST_F(GuestScansTest, ARunningTaskThatIsNotClearIsNotKnown) {
  guest_.lose_symbols();
  std::uint64_t code = kText + SyntheticGuest::kCodeAt;
  for (std::uint64_t i = 0; i < 20; ++i)  // half of the loads are of the scheduler's task
    guest_.put(code + 9 * i + 5, static_cast<std::uint32_t>(guest_.current_variable() - 0x80));
  KernelSearch found = search();
  ASSERT_TRUE(found.kernel) << found.why_not;
  EXPECT_FALSE(found.kernel->layout().cpu);
  EXPECT_TRUE(found.kernel->cpus().empty());
  EXPECT_THAT(
      step("running tasks"),
      HasSubstr("note: what CPUs run is not known: processes are told apart by their page"));
  EXPECT_TRUE(found.kernel->still_there());
}

TEST_F(GuestScansTest, WithoutACountOfInterruptsTheRunningTaskIsNotTaken) {
  guest_.lose_symbols();
  guest_.put_bytes(kText + SyntheticGuest::kCodeAt + 45 * 9, Bytes(44));
  KernelSearch found = search();
  ASSERT_TRUE(found.kernel);
  EXPECT_FALSE(found.kernel->layout().cpu);
  EXPECT_THAT(step("running tasks"), HasSubstr("where interrupts are counted is not clear"));
}

TEST_F(GuestScansTest, APerCpuArrayWhoseAreasDoNotSayItIsNone) {
  guest_.lose_symbols();
  guest_.put(guest_.current_of(1) - 0x100, std::uint64_t{0});
  EXPECT_THAT(step("running tasks"), HasSubstr("no array of per-CPU data"));
}

TEST_F(GuestScansTest, AFirstTaskThatIsNotItsOwnParentIsNone) {
  guest_.lose_symbols();
  guest_.put(guest_.init_task() + SyntheticGuest::kParent, guest_.direct_map() + 0x600000);
  EXPECT_THAT(step("first task"), HasSubstr("failed: no symbol says where init_task is; a scan"));
}

TEST_F(GuestScansTest, OfSeveralFirstTasksTheOneWhoseListClosesIsTaken) {
  guest_.lose_symbols();
  std::uint64_t decoy = kText + 0x2400;  // before the real one
  guest_.put_text(decoy + SyntheticGuest::kComm, "swapper/0");
  KernelSearch found = search();
  ASSERT_TRUE(found.kernel) << found.why_not;
  EXPECT_EQ(found.kernel->layout().init_task, guest_.init_task());
}

TEST_F(GuestScansTest, TypesThatAreCutAreNotTaken) {
  guest_.lose_symbols();
  guest_.put(kText + SyntheticGuest::kTypesAt + 12, ~std::uint32_t{0});
  EXPECT_THAT(step("types"), HasSubstr("failed: no symbol says where they are; a scan of the"));
}

// Tables that lead one to the other, with one of them wrong.
TEST_F(GuestScansTest, SymbolsOfWhichOneTableDoesNotFitAreNotTaken) {
  PageTables tables{SyntheticGuest::kCr3, false};
  KernelSpace space(*memory_, tables);
  auto found = [&] {
    space.forget();
    KernelImage image(space, kText, true);
    return scan_for_kallsyms(image);
  };
  auto good = found();
  ASSERT_TRUE(good);
  std::uint64_t second_marker = good->token_table - 20;
  std::uint64_t end_of_a_token = good->token_table + 101;
  for (std::uint64_t at :
       {good->token_index + 8, end_of_a_token, second_marker, good->num_syms + 1, good->names}) {
    auto before = guest_.value_at<std::uint8_t>(guest_.physical(at));
    guest_.put(at, static_cast<std::uint8_t>(before + 1));
    EXPECT_FALSE(found()) << at - kText;
    guest_.put(at, before);
    EXPECT_TRUE(found());
  }
}

TEST_F(GuestScansTest, TextsThatNeedScansDoNotHideTheOneThatNeedsNone) {
  SyntheticGuest guest;
  std::string forged = guest.vmcoreinfo();
  while (forged.find("kallsyms_") != std::string::npos)
    forged.replace(forged.find("kallsyms_"), 9, "forgeries");
  for (std::uint64_t page = 0; page < 300; ++page)
    guest.put_text(guest.direct_map() + 0x300000 + page * 4096, forged + std::to_string(page));
  auto memory = guest.memory();
  guest.reads() = {};
  KernelSearch found = SyntheticGuest::search(*memory);
  ASSERT_TRUE(found.kernel);
  EXPECT_EQ(found.check("symbols").state, GuestCheckState::ok);
  EXPECT_LT(guest.reads().bytes, 10U << 20);
}

TEST_F(GuestScansTest, AnImageThatIsNotAllowedIsNotRead) {
  PageTables tables{SyntheticGuest::kCr3, false};
  KernelSpace space(*memory_, tables);
  KernelImage image(space, kText, false);
  guest_.reads() = {};
  EXPECT_TRUE(image.runs().empty());
  EXPECT_TRUE(image.was_wanted());
  EXPECT_EQ(guest_.reads().calls, 0u);
}

TEST_F(GuestScansTest, PageTablesThatMapEverythingToOnePageAreLeftAtTheLimit) {
  for (std::uint64_t i = 0; i < 512; ++i)
    guest_.word_at(SyntheticGuest::kCr3 + 8 * i) = SyntheticGuest::kCr3 | 3;
  PageTables loop{SyntheticGuest::kCr3, false};
  KernelSpace space(*memory_, loop);
  KernelImage image(space, kText, true);
  std::uint64_t total = 0;
  for (const KernelImage::Run& run : image.runs()) total += run.bytes.size();
  EXPECT_LE(total, KernelImage::kMost);
  EXPECT_FALSE(scan_for_kallsyms(image));
}

}  // namespace
}  // namespace iovm::record
