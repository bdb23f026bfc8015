// SPDX-License-Identifier: Apache-2.0
#include "trace/byte_input.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/assert.h"

namespace iovm::trace {
namespace {

constexpr std::size_t kStep = 64U << 10;

}  // namespace

ByteInput::ByteInput(UniqueFd fd) : fd_(std::move(fd)) {
  struct stat about {};
  off_t position = ::lseek(fd_.get(), 0, SEEK_CUR);
  regular_ = position >= 0 && ::fstat(fd_.get(), &about) == 0 && S_ISREG(about.st_mode);
  if (regular_) start_ = static_cast<std::uint64_t>(position);
}

std::optional<std::uint64_t> ByteInput::size() const {
  struct stat about {};
  if (!regular_ || ::fstat(fd_.get(), &about) != 0) return std::nullopt;
  auto all = static_cast<std::uint64_t>(about.st_size);
  return all > start_ ? all - start_ : 0;
}

Status ByteInput::fill(std::size_t count) {
  if (begin_ > 0 && begin_ + count > buffer_.size()) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, held());
    end_ -= begin_;
    begin_ = 0;
  }
  if (count > buffer_.size()) buffer_.resize(count + kStep);
  while (held() < count && !ended_) {
    auto got = read_some(std::span(buffer_).subspan(end_));
    if (!got) return std::move(got).error();
    ended_ = *got == 0;
    end_ += *got;
  }
  return {};
}

Result<std::size_t> ByteInput::read_some(std::span<std::byte> out) {
  if (pull_) return pull_(out);
  for (;;) {
    ssize_t got = ::read(fd_.get(), out.data(), out.size());
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) return errno_error("reading");
  }
}

Result<std::span<const std::byte>> ByteInput::peek(std::size_t count) {
  if (held() < count) {
    if (auto done = fill(count); !done) return std::move(done).error();
  }
  return std::span<const std::byte>(buffer_).subspan(begin_, std::min(count, held()));
}

Result<bool> ByteInput::skip(std::uint64_t count) {
  auto near = static_cast<std::size_t>(std::min<std::uint64_t>(count, held()));
  begin_ += near;
  offset_ += near;
  count -= near;
  if (count > kStep && regular_) {
    std::uint64_t all = size().value_or(0);
    bool there = offset_ + count <= all;
    if (auto done = seek(there ? offset_ + count : all); !done) return std::move(done).error();
    return there;
  }
  while (count > 0) {
    auto some = peek(static_cast<std::size_t>(std::min<std::uint64_t>(count, kStep)));
    if (!some) return std::move(some).error();
    if (some->empty()) return false;
    begin_ += some->size();
    offset_ += some->size();
    count -= some->size();
  }
  return true;
}

Status ByteInput::seek(std::uint64_t offset) {
  IOVM_ASSERT(regular_);
  if (::lseek(fd_.get(), static_cast<off_t>(start_ + offset), SEEK_SET) < 0)
    return errno_error("seeking");
  offset_ = offset;
  begin_ = end_ = 0;
  ended_ = false;
  return {};
}

Result<std::size_t> ByteInput::read_at(std::uint64_t offset, std::span<std::byte> out) {
  IOVM_ASSERT(regular_);
  std::size_t done = 0;
  while (done < out.size()) {
    ssize_t got = ::pread(fd_.get(), out.data() + done, out.size() - done,
                          static_cast<off_t>(start_ + offset + done));
    if (got == 0) break;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error("reading");
    done += static_cast<std::size_t>(got);
  }
  return done;
}

}  // namespace iovm::trace
