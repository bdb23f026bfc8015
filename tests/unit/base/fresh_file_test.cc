// SPDX-License-Identifier: Apache-2.0
#include "base/fresh_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

namespace iovm {
namespace {

namespace fs = std::filesystem;

class FreshFileTest : public testing::Test {
 protected:
  FreshFileTest() { fs::create_directory(folder_); }
  ~FreshFileTest() override { fs::remove_all(folder_); }

  static void write(const FreshFile& file, std::string_view text) {
    ASSERT_TRUE(write_full(file.fd(), std::as_bytes(std::span(text))));
  }
  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_), {}));
  }
  std::string content(const std::string& path) const {
    auto text = read_file(path);
    return text ? *text : text.error().message();
  }

  std::string folder_ = testing::TempDir() + "/iovm-fresh-" + std::to_string(::getpid());
  std::string path_ = folder_ + "/out";
};

TEST_F(FreshFileTest, IsThereOnceItIsKept) {
  auto file = FreshFile::create(path_);
  ASSERT_TRUE(file) << file.error().message();
  write(*file, "new");
  EXPECT_FALSE(fs::exists(path_));
  ASSERT_TRUE(file->keep());
  EXPECT_EQ(content(path_), "new");
  EXPECT_EQ(files(), 1U);
}

TEST_F(FreshFileTest, DroppedItLeavesNothingAndWhatWasThereStays) {
  ASSERT_TRUE(write_file(path_, "old"));
  {
    auto file = FreshFile::create(path_);
    ASSERT_TRUE(file);
    FreshFile moved = *std::move(file);
    write(moved, "half");
  }
  EXPECT_EQ(content(path_), "old");
  EXPECT_EQ(files(), 1U);
}

TEST_F(FreshFileTest, ReplacesWithTheRightsOfWhatWasThere) {
  ASSERT_TRUE(write_file(path_, "old"));
  ::chmod(path_.c_str(), 0600);
  auto file = FreshFile::create(path_);
  ASSERT_TRUE(file);
  write(*file, "new");
  ASSERT_TRUE(file->keep());
  struct stat status {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  EXPECT_EQ(content(path_), "new");
}

TEST_F(FreshFileTest, WritesThroughASymbolicLink) {
  ASSERT_TRUE(write_file(path_, "old"));
  std::string link = folder_ + "/link";
  fs::create_symlink("out", link);
  auto file = FreshFile::create(link);
  ASSERT_TRUE(file);
  write(*file, "new");
  ASSERT_TRUE(file->keep());
  EXPECT_TRUE(fs::is_symlink(link));
  EXPECT_EQ(content(path_), "new");
}

TEST_F(FreshFileTest, ADeviceAMissingFolderAndAFolderAreRefused) {
  EXPECT_EQ(FreshFile::create("/dev/null").error().fault(), Fault::usage);
  EXPECT_EQ(FreshFile::create(folder_).error().fault(), Fault::usage);
  EXPECT_EQ(FreshFile::create(folder_ + "/absent/out").error().fault(), Fault::input);
}

TEST_F(FreshFileTest, ANameOfTheGreatestLengthIsPossible) {
  std::string path = folder_ + "/" + std::string(255, 'n');
  auto file = FreshFile::create(path);
  ASSERT_TRUE(file) << file.error().message();
  ASSERT_TRUE(file->keep());
  EXPECT_TRUE(fs::exists(path));
}

}  // namespace
}  // namespace iovm
