// SPDX-License-Identifier: Apache-2.0
#include "base/fresh_file.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstdlib>

#include "base/format.h"
#include "base/text.h"

namespace iovm {
namespace {

// Where the file really stands, if there is one.
Result<std::string> place_of(const std::string& path, mode_t& mode) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return path;
    return errno_error(escape_terminal(path));
  }
  if (!S_ISREG(status.st_mode))
    return usage_error(format("{}: is no plain file; name one", escape_terminal(path)));
  mode = status.st_mode & 0777;
  char* real = ::realpath(path.c_str(), nullptr);
  if (real == nullptr) return errno_error(escape_terminal(path));
  std::string place(real);
  std::free(real);
  return place;
}

// ".web-1.parquet.3f20a9c1", in the folder of the place.
Result<std::string> name_aside(const std::string& place) {
  std::uint32_t number = 0;
  if (::getrandom(&number, sizeof number, 0) != sizeof number)
    return errno_error("random numbers of the kernel");
  std::size_t name = place.find_last_of('/') + 1;
  // A name may be as long as the file system takes: then ours is not longer.
  std::string shown = place.substr(name, NAME_MAX - 10);
  return format("{}.{}.{:08x}", place.substr(0, name), shown, number);
}

}  // namespace

Result<FreshFile> FreshFile::create(const std::string& path) {
  mode_t mode = 0644;
  auto place = place_of(path, mode);
  if (!place) return std::move(place).error();
  auto aside = name_aside(*place);
  if (!aside) return std::move(aside).error();
  std::string folder = aside->substr(0, aside->find_last_of('/') + 1);
  UniqueFd fd(::open(folder.empty() ? "." : folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, mode));
  bool named = !fd;
  if (named) fd.reset(::open(aside->c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!fd && (errno == ENOENT || errno == ENOTDIR))
    return input_error(errno_error(escape_terminal(path)).message());
  if (!fd) return errno_error(escape_terminal(path));
  return FreshFile(std::move(fd), named, *std::move(aside), *std::move(place));
}

FreshFile::~FreshFile() {
  if (fd_ && named_) ::unlink(aside_.c_str());
}

Status FreshFile::keep() {
  std::string nameless = format("/proc/self/fd/{}", fd_.get());
  if (!named_ &&
      ::linkat(AT_FDCWD, nameless.c_str(), AT_FDCWD, aside_.c_str(), AT_SYMLINK_FOLLOW) != 0)
    return errno_error(escape_terminal(path_));
  named_ = true;
  if (::rename(aside_.c_str(), path_.c_str()) != 0) return errno_error(escape_terminal(path_));
  fd_.reset();
  return {};
}

}  // namespace iovm
