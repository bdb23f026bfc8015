// SPDX-License-Identifier: Apache-2.0
#include "record/guest_finder.h"

#include <gmock/gmock.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "unit/record/pretend_vm.h"
#include "unit/record/synthetic_guest.h"

namespace iovm::record {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
constexpr std::chrono::minutes kLong{1};

class GuestFinderTest : public testing::Test {
 protected:
  Result<FoundGuest> find(const SearchLimits& limits) {
    ++searches_;
    if (nothing_) return input_error("no process 5 is there any more");
    FoundGuest found{guest_.memory(), {}};
    found.search = SyntheticGuest::search(*found.memory, limits);
    return found;
  }
  // Until it has found something.
  static std::unique_ptr<FoundGuest> take(GuestFinder& finder) {
    for (;;) {
      if (auto found = finder.take()) return found;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }

  SyntheticGuest guest_;
  std::atomic<int> searches_ = 0;
  std::atomic<bool> nothing_ = false;
};

TEST_F(GuestFinderTest, HandsOverWhatItFoundOnceAndRests) {
  GuestFinder finder([this](const SearchLimits& limits) { return find(limits); });
  finder.wait_for_first_search(kLong);
  auto found = finder.take();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->search.kernel->release, "6.1.0-test");
  EXPECT_FALSE(finder.take());
  EXPECT_THAT(finder.why_not(), IsEmpty());
  EXPECT_EQ(searches_, 1);
}

TEST_F(GuestFinderTest, SearchesUntilThereIsSomething) {
  nothing_ = true;
  GuestFinder finder([this](const SearchLimits& limits) { return find(limits); });
  finder.wait_for_first_search(kLong);
  EXPECT_FALSE(finder.take());
  EXPECT_THAT(finder.why_not(), HasSubstr("no process 5"));
  nothing_ = false;
  EXPECT_TRUE(take(finder));
}

TEST_F(GuestFinderTest, PassesOverAKernelThatNobodyRunsOnUntilNothingElseIsThere) {
  std::vector<std::vector<std::uint64_t>> rejected;
  GuestFinder finder([&](const SearchLimits& limits) {
    rejected.push_back(limits.rejected);
    return find(limits);
  });
  auto first = take(finder);
  std::uint64_t wrong = first->search.kernel->text_at;
  finder.look_for_another(*first->search.kernel);
  auto again = take(finder);
  EXPECT_EQ(again->search.kernel->text_at, wrong);
  EXPECT_THAT(rejected, ElementsAre(IsEmpty(), ElementsAre(wrong), IsEmpty()));
}

TEST_F(GuestFinderTest, ItsEndEndsASearch) {
  std::atomic<bool> began = false;
  {
    GuestFinder finder([&](const SearchLimits& limits) -> Result<FoundGuest> {
      began = true;
      while (!limits.stop()) std::this_thread::yield();
      return input_error("stopped");
    });
    while (!began) std::this_thread::yield();
  }
  EXPECT_TRUE(began);
}

// This process as the VMM: the guest's memory as a mapping of its own.
TEST_F(GuestFinderTest, TheSecondSearchGoesByWhatTheFirstKept) {
  constexpr std::uint64_t kBytes = SyntheticGuest::kBytes;
  void* ram = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(ram, MAP_FAILED);
  auto fill = [&] {
    std::span<std::byte> bytes(static_cast<std::byte*>(ram), kBytes);
    ASSERT_TRUE(guest_.memory()->read_host(0, bytes));
  };
  ScratchFolder scratch;
  std::string profile = scratch.path() + "/iovm/0-web.profile";
  auto search = [&] { return find_guest_and_keep("/proc", ::getpid(), kBytes, profile, {}); };
  fill();
  auto first = search();
  ASSERT_TRUE(first) << first.error().message();
  ASSERT_TRUE(first->search.kernel) << first->search.why_not;
  EXPECT_THAT(first->search.check("profile").detail, HasSubstr("none is kept yet"));
  guest_.lose_symbols();
  guest_.lose_types();
  fill();
  auto second = search();
  ASSERT_TRUE(second && second->search.kernel);
  EXPECT_EQ(second->search.check("profile").state, GuestCheckState::ok);
  EXPECT_EQ(second->search.kernel->layout(), first->search.kernel->layout());
  EXPECT_FALSE(find_guest("/proc", ::getpid(), kBytes)->search.kernel);
  ::munmap(ram, kBytes);
}

}  // namespace
}  // namespace iovm::record
