// SPDX-License-Identifier: Apache-2.0
#include "base/fd.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/format.h"
#include "base/text.h"

namespace iovm {
namespace {

Error path_error(const std::string& path, int error_number) {
  // A path that is not there is the user's input; everything else is this host's.
  Error error = errno_error(escape_terminal(path), error_number);
  if (error_number == ENOENT || error_number == EISDIR || error_number == ENOTDIR)
    return input_error(error.message());
  return error;
}

Result<UniqueFd> open_path(const std::string& path, int flags) {
  UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC, 0644));
  if (!fd) return path_error(path, errno);
  return fd;
}

Result<UniqueFd> duplicate(int fd) {
  UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
  if (!copy) return errno_error("duplicating a standard stream");
  return copy;
}

}  // namespace

void UniqueFd::reset(int fd) {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

Result<UniqueFd> open_for_reading(const std::string& path) {
  auto fd = path == "-" ? duplicate(STDIN_FILENO) : open_path(path, O_RDONLY);
  struct stat status = {};
  if (fd && ::fstat(fd->get(), &status) == 0 && S_ISDIR(status.st_mode)) {
    return input_error(format("{}: this is a directory; name a file in it", escape_terminal(path)));
  }
  return fd;
}

Result<UniqueFd> open_for_writing(const std::string& path) {
  if (path != "-") return open_path(path, O_WRONLY | O_CREAT | O_TRUNC);
  if (::isatty(STDOUT_FILENO) != 0) {
    return usage_error(
        "standard output is a terminal and this output is binary; redirect it, or name a file with "
        "-o");
  }
  return duplicate(STDOUT_FILENO);
}

Result<std::size_t> read_full(int fd, std::span<std::byte> out) {
  std::size_t done = 0;
  while (done < out.size()) {
    ssize_t got = ::read(fd, out.data() + done, out.size() - done);
    if (got == 0) break;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error("reading");
    done += static_cast<std::size_t>(got);
  }
  return done;
}

Status write_full(int fd, std::span<const std::byte> data) {
  while (!data.empty()) {
    ssize_t put = ::write(fd, data.data(), data.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return errno_error("writing");
    data = data.subspan(static_cast<std::size_t>(put));
  }
  return {};
}

Result<std::string> read_file(const std::string& path, std::size_t limit) {
  auto fd = open_for_reading(path);
  if (!fd) return std::move(fd).error();
  std::string content;
  constexpr std::size_t kStep = 64U << 10;
  for (;;) {
    std::size_t before = content.size();
    content.resize(before + kStep);
    auto got = read_full(fd->get(), std::as_writable_bytes(std::span(content).subspan(before)));
    if (!got) return std::move(got).error().in(escape_terminal(path));
    content.resize(before + *got);
    if (content.size() > limit)
      return input_error(format("{}: larger than {}", escape_terminal(path), describe_size(limit)));
    if (*got < kStep) return content;
  }
}

Status write_file(const std::string& path, std::string_view content) {
  auto fd = open_for_writing(path);
  if (!fd) return std::move(fd).error();
  auto written = write_full(fd->get(), std::as_bytes(std::span(content)));
  if (!written) return std::move(written).error().in(escape_terminal(path));
  return {};
}

}  // namespace iovm
