// SPDX-License-Identifier: Apache-2.0
#include "record/guest_profile.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/fd.h"
#include "record/guest_profile_file.h"
#include "trace/compress.h"
#include "unit/record/pretend_vm.h"
#include "unit/record/synthetic_guest.h"

namespace iovm::record {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using Era = SyntheticGuest::Era;

// The profile of a kernel that was found by its symbols.
KernelProfile profile_of(Era era) {
  SyntheticGuest guest({era, false, true, 2, 1});
  auto memory = guest.memory();
  KernelSearch search = SyntheticGuest::search(*memory);
  EXPECT_TRUE(search.kernel) << search.why_not;
  EXPECT_TRUE(search.to_keep);
  return *search.to_keep;
}

class GuestProfileTest : public testing::TestWithParam<Era> {};

TEST_P(GuestProfileTest, SaysTheSameAfterwards) {
  KernelProfile profile = profile_of(GetParam());
  auto again = KernelProfile::parse(profile.text());
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(*again, profile);
  EXPECT_EQ(again->build_id(), "0123456789abcdef");
}

TEST_P(GuestProfileTest, FindsTheKernelAgainWhenItsSymbolsAndTypesAreGone) {
  KernelProfile profile = profile_of(GetParam());
  SyntheticGuest guest({GetParam(), false, true, 2, 1});
  guest.lose_symbols();
  guest.lose_types();
  auto memory = guest.memory();
  KernelSearch search = SyntheticGuest::search(*memory, {}, {profile, {}});
  ASSERT_TRUE(search.kernel) << search.why_not;
  EXPECT_EQ(search.kernel->cpus().size(), 2u);
  EXPECT_EQ(search.kernel->layout(), profile.layout_at(SyntheticGuest::kText));
  EXPECT_FALSE(search.to_keep);  // it is kept already
}

INSTANTIATE_TEST_SUITE_P(All, GuestProfileTest,
                         testing::Values(Era::current_task, Era::pcpu_hot, Era::from_base,
                                         Era::before_6_0));

TEST(GuestProfile, OfAnotherBuildIsNotUsed) {
  KernelProfile profile = profile_of(Era::current_task);
  SyntheticGuest guest;
  KernelProfile other =
      KernelProfile::of(profile.layout_at(SyntheticGuest::kText), "fedcba9876543210", 0);
  auto memory = guest.memory();
  KernelSearch search = SyntheticGuest::search(*memory, {}, {other, {}});
  ASSERT_TRUE(search.kernel);
  EXPECT_THAT(search.check("profile").detail, HasSubstr("of another build, fedcba9876543210"));
}

TEST(GuestProfile, ThatDoesNotPassTheSelfTestIsNotUsed) {
  SyntheticGuest guest;
  KernelLayout wrong = profile_of(Era::current_task).layout_at(SyntheticGuest::kText);
  wrong.task.comm += 8;
  KernelProfile profile = KernelProfile::of(wrong, "0123456789abcdef", SyntheticGuest::kText);
  auto memory = guest.memory();
  KernelSearch search = SyntheticGuest::search(*memory, {}, {profile, {}});
  ASSERT_TRUE(search.kernel);
  EXPECT_EQ(search.kernel->layout().task.comm, SyntheticGuest::kComm);
  EXPECT_EQ(search.check("profile").state, GuestCheckState::note);
  EXPECT_THAT(search.check("profile").detail, HasSubstr("does not fit: first task: "));
  EXPECT_TRUE(search.to_keep);
}

TEST(GuestProfile, EveryCutAndEveryFlipIsRefused) {
  std::string text = profile_of(Era::current_task).text();
  for (std::size_t size = 0; size < text.size(); ++size)
    EXPECT_FALSE(KernelProfile::parse(text.substr(0, size)));
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bent = text;
      bent[at] = static_cast<char>(bent[at] ^ 1 << bit);
      EXPECT_FALSE(KernelProfile::parse(bent)) << at;
    }
  }
}

std::string with_checksum(const std::string& body) {
  return body + format("checksum {:016x}\n", trace::checksum(std::as_bytes(std::span(body))));
}

// A profile with a line in place of another, and its checksum right.
std::string with_line(std::string_view old_line, std::string_view new_line) {
  std::string text = profile_of(Era::current_task).text();
  std::size_t at = text.find(old_line);
  EXPECT_NE(at, std::string::npos);
  text.replace(at, text.find('\n', at) + 1 - at, new_line);
  return with_checksum(text.substr(0, text.rfind("checksum ")));
}

TEST(GuestProfile, WhatIsOutOfRangeMissingUnknownOrTwiceIsRefused) {
  auto why = [](std::string_view old_line, std::string_view new_line) {
    auto parsed = KernelProfile::parse(with_line(old_line, new_line));
    return parsed ? "taken" : parsed.error().message();
  };
  EXPECT_EQ(why("task.pid ", "task.pid 10\n"), "taken");
  EXPECT_THAT(why("task.pid ", "task.pid 10001\n"), HasSubstr("task.pid is missing"));
  EXPECT_THAT(why("task.pid ", ""), HasSubstr("task.pid is missing"));
  EXPECT_THAT(why("task.pid ", "task.pid -1\n"), HasSubstr("no line of a profile"));
  EXPECT_THAT(why("task.pid ", "task.pid 4\ntask.pid 4\n"), HasSubstr("no line of a profile"));
  EXPECT_THAT(why("task.pid ", "task.pid 4\ntask.\x1b 4\n"), HasSubstr("task.\\x1b is missing"));
  EXPECT_THAT(why("init_task ", "init_task 40000000\n"), HasSubstr("init_task is missing"));
  EXPECT_THAT(why("cpu.current ", "cpu.current fffffffffffff000\n"), HasSubstr("cpu.current is"));
  EXPECT_THAT(why("build-id ", "build-id ../../etc/x\n"), HasSubstr("no build id"));
  EXPECT_THAT(why("iovm guest", "iovm guest profile 2\n"), HasSubstr("another version"));
}

class ProfileFileTest : public testing::Test {
 protected:
  std::string why_not() {
    auto loaded = load_profile(path_);
    return loaded ? "" : loaded.error().message();
  }

  ScratchFolder scratch_;
  std::string folder_ = scratch_.path() + "/iovm";
  std::string path_ = folder_ + "/0-web.profile";
  KernelProfile profile_ = profile_of(Era::current_task);
};

TEST_F(ProfileFileTest, IsKeptForItsOwnerAloneAndReplacedAsAWhole) {
  EXPECT_THAT(why_not(), HasSubstr("none is kept yet"));
  ASSERT_TRUE(save_profile(path_, profile_));
  ASSERT_TRUE(save_profile(path_, profile_));
  auto loaded = load_profile(path_);
  ASSERT_TRUE(loaded) << loaded.error().message();
  EXPECT_EQ(*loaded, profile_);
  struct stat status = {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  ASSERT_EQ(::stat(folder_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) files += entry.exists();
  EXPECT_EQ(files, 1u);
}

TEST_F(ProfileFileTest, WhatOthersCanWriteIsNotTaken) {
  ASSERT_TRUE(save_profile(path_, profile_));
  ASSERT_EQ(::chmod(path_.c_str(), 0666), 0);
  EXPECT_THAT(why_not(), HasSubstr("others can write it"));
  ASSERT_EQ(::chmod(path_.c_str(), 0600), 0);
  ASSERT_EQ(::chmod(folder_.c_str(), 0777), 0);
  EXPECT_THAT(why_not(), HasSubstr("others can write it"));
  EXPECT_FALSE(save_profile(path_, profile_));
}

TEST_F(ProfileFileTest, ALinkAFolderOrAHugeFileIsNone) {
  ASSERT_TRUE(save_profile(path_, profile_));
  std::string real = scratch_.path() + "/real";
  std::filesystem::rename(path_, real);
  std::filesystem::create_symlink(real, path_);
  EXPECT_NE(why_not(), "");
  std::filesystem::remove(path_);
  std::filesystem::create_directory(path_);
  EXPECT_NE(why_not(), "");
  std::filesystem::remove(path_);
  ASSERT_TRUE(write_file(path_, std::string(1 << 20, 'x')));
  ASSERT_EQ(::chmod(path_.c_str(), 0600), 0);
  EXPECT_THAT(why_not(), HasSubstr("it is no profile"));
}

TEST_F(ProfileFileTest, AVmsFileHasItsUserAndItsUuidOrItsName) {
  std::filesystem::create_directories(scratch_.path() + "/7");
  trace::VmInfo vm;
  vm.pid = 7;
  auto path = [&] { return profile_path("/cache", scratch_.path(), vm); };
  EXPECT_THAT(path(), IsEmpty());
  std::string user = std::to_string(::geteuid());
  vm.name = "../web 1";
  EXPECT_EQ(path(), "/cache/" + user + "-..%2Fweb%201.profile");
  vm.uuid = "6d1c6f5e-0000-4000-8000-000000000001";
  EXPECT_THAT(path(), EndsWith("-6d1c6f5e-0000-4000-8000-000000000001.profile"));
  vm.uuid = std::string(500, 'x');
  EXPECT_THAT(path(), IsEmpty());
  vm.pid = 8;
  EXPECT_THAT(path(), IsEmpty());
}

}  // namespace
}  // namespace iovm::record
