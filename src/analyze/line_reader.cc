// SPDX-License-Identifier: Apache-2.0
#include "analyze/line_reader.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/format.h"

namespace iovm::analyze {
namespace {

constexpr std::size_t kPiece = 1U << 20;

struct Magic {
  std::string_view bytes;
  std::string_view says;
};

constexpr std::array kMagics = {
    Magic{{"\x28\xb5\x2f\xfd", 4},
          "a zstd file; unpack it first: zstd -dc FILE | iovm import - --from FORMAT"},
    Magic{{"\x1f\x8b", 2}, "a gzip file; unpack it first: zcat FILE | iovm import - --from FORMAT"},
    Magic{{"\xfd\x37\x7a\x58\x5a", 5},
          "an xz file; unpack it first: xz -dc FILE | iovm import - --from FORMAT"},
    Magic{{"PERFILE2", 8}, "a perf.data file; import it with --from perf"},
    Magic{{"\x17\x08\x44tracing", 10}, "a trace.dat file; import it with --from trace-cmd"},
    Magic{{"\x7f"
           "ELF",
           4},
          "an ELF program, not a recording"},
};

// What there is, at least a byte, up to `room`; 0 at the end. Unlike read_full() it does not wait
// for more, so that a slow pipe's lines come through one by one.
Result<std::size_t> read_some(int fd, char* to, std::size_t room) {
  for (;;) {
    ssize_t got = ::read(fd, to, room);
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) return errno_error("reading");
  }
}

}  // namespace

LineReader::LineReader(UniqueFd fd, std::size_t longest_line)
    : fd_(std::move(fd)), buffer_(kPiece), longest_line_(longest_line) {}

LineReader::LineReader(std::string text, std::size_t longest_line)
    : buffer_(text.begin(), text.end()),
      end_(buffer_.size()),
      longest_line_(longest_line),
      at_end_(true) {}

const char* LineReader::find_end() {
  if (searched_ == end_) return nullptr;
  const void* found = std::memchr(buffer_.data() + searched_, '\n', end_ - searched_);
  searched_ = found == nullptr
                  ? end_
                  : static_cast<std::size_t>(static_cast<const char*>(found) - buffer_.data());
  return static_cast<const char*>(found);
}

bool LineReader::has_line() {
  return find_end() != nullptr;
}

std::optional<std::string_view> LineReader::take(const char* end, std::size_t terminator) {
  const char* first = buffer_.data() + begin_;
  auto length = static_cast<std::size_t>(end - first);
  begin_ += length + terminator;
  searched_ = begin_;
  ++number_;
  if (length > 0 && first[length - 1] == '\r') --length;
  return std::string_view(first, length);
}

// Moves what is left to the front, makes room and reads one piece more.
Status LineReader::refill() {
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    searched_ -= begin_;
    begin_ = 0;
  }
  if (end_ == buffer_.size()) buffer_.resize(buffer_.size() * 2);
  std::size_t room = std::min(buffer_.size() - end_, kPiece);
  auto count = read_some(fd_.get(), buffer_.data() + end_, room);
  if (!count) return std::move(count).error();
  at_end_ = *count == 0;
  end_ += *count;
  return {};
}

Result<std::optional<std::string_view>> LineReader::refill_and_next() {
  for (;;) {
    if (const char* end = find_end()) return take(end, 1);
    if (end_ - begin_ > longest_line_)
      return input_error(format("line {}: longer than {} bytes; this is no file of lines",
                                number_ + 1, longest_line_));
    if (at_end_) break;
    if (auto done = refill(); !done) return std::move(done).error();
  }
  if (begin_ == end_) return std::optional<std::string_view>();
  return take(buffer_.data() + end_, 0);
}

Result<std::string_view> LineReader::peek(std::size_t bytes) {
  while (end_ - begin_ < bytes && !at_end_) {
    if (auto done = refill(); !done) return std::move(done).error();
  }
  return std::string_view(buffer_.data() + begin_, std::min(bytes, end_ - begin_));
}

std::optional<std::string> foreign_file(std::string_view head) {
  for (const Magic& magic : kMagics) {
    if (head.starts_with(magic.bytes)) return std::string(magic.says);
  }
  return std::nullopt;
}

}  // namespace iovm::analyze
