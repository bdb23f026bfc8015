// SPDX-License-Identifier: Apache-2.0
#include "record/guest_finder.h"

#include <gmock/gmock.h>

#include <atomic>
#include <thread>

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

}  // namespace
}  // namespace iovm::record
