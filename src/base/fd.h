// SPDX-License-Identifier: Apache-2.0
//
// A file descriptor with an owner, and the few ways in which iovm touches files. Reads and writes
// retry on EINTR and go on after short counts; errors carry the path and the cause.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace iovm {

// Owns one descriptor and closes it once. Move-only; a moved-from UniqueFd holds none (-1).
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  ~UniqueFd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() {
    int fd = fd_;
    fd_ = -1;
    return fd;
  }
  void reset(int fd = -1);

 private:
  int fd_ = -1;
};

// Opens for reading; "-" is standard input (duplicated, so that closing the result leaves it open).
Result<UniqueFd> open_for_reading(const std::string& path);
// Creates or truncates; "-" is standard output, refused with a usage error if it is a terminal.
Result<UniqueFd> open_for_writing(const std::string& path);

// Reads until the span is full or the input ends; the count read, short only at the end.
Result<std::size_t> read_full(int fd, std::span<std::byte> out);
Status write_full(int fd, std::span<const std::byte> data);

// A whole small file (as those of /proc and /sys). More than `limit` bytes is an input error.
Result<std::string> read_file(const std::string& path, std::size_t limit = 16U << 20);
Status write_file(const std::string& path, std::string_view content);

}  // namespace iovm
