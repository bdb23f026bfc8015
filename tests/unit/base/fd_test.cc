// SPDX-License-Identifier: Apache-2.0
#include "base/fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace iovm {
namespace {

bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) >= 0;
}

TEST(UniqueFd, ClosesWhatItOwnsOnce) {
  int number = -1;
  {
    UniqueFd fd(::dup(0));
    number = fd.get();
    EXPECT_TRUE(is_open(number));
  }
  EXPECT_FALSE(is_open(number));
}

TEST(UniqueFd, MovingHandsOverAndClosesTheOld) {
  UniqueFd from(::dup(0));
  UniqueFd to(::dup(0));
  int kept = from.get();
  int closed = to.get();
  to = std::move(from);
  EXPECT_EQ(to.get(), kept);
  EXPECT_TRUE(is_open(kept));
  EXPECT_FALSE(is_open(closed));
  EXPECT_FALSE(from);  // NOLINT(bugprone-use-after-move): a moved-from UniqueFd holds none
}

TEST(UniqueFd, MovingOntoItselfChangesNothing) {
  UniqueFd fd(::dup(0));
  UniqueFd& same = fd;
  fd = std::move(same);
  EXPECT_TRUE(is_open(fd.get()));
}

TEST(ReadFile, SaysWhichFileAndWhy) {
  auto content = read_file("/nonexistent/file");
  ASSERT_FALSE(content);
  EXPECT_EQ(content.error().message(), "/nonexistent/file: No such file or directory");
  EXPECT_EQ(content.error().fault(), Fault::input);
}

TEST(ReadFile, StopsAtItsLimit) {
  auto content = read_file("/dev/zero", 1U << 20);
  ASSERT_FALSE(content);
  EXPECT_EQ(content.error().message(), "/dev/zero: larger than 1.0 MiB");
}

TEST(WriteFile, AFullDiskIsAnErrorOfTheHost) {
  auto written = write_file("/dev/full", "x");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().message(), "/dev/full: writing: No space left on device");
  EXPECT_EQ(written.error().fault(), Fault::host);
}

TEST(WriteFile, ComesBackWhole) {
  std::string path = testing::TempDir() + "iovm-fd-test";
  std::string content(100'000, 'x');
  ASSERT_TRUE(write_file(path, content));
  EXPECT_EQ(*read_file(path), content);
  ::unlink(path.c_str());
}

}  // namespace
}  // namespace iovm
