// SPDX-License-Identifier: Apache-2.0
//
// The bytes of a trace, from a file, a pipe or whatever else gives bytes, as a window that moves
// forward: look at the next n, then consume some. It reads ahead in large steps, keeps no more than
// was asked for at once, and jumps over what is consumed unseen where the input can seek. No mmap:
// a file that is cut while it is mapped kills its reader.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "trace/raw_bytes.h"

namespace iovm::trace {

class ByteInput {
 public:
  // Fills the span as far as it can; 0 is the end.
  using Pull = std::function<Result<std::size_t>(std::span<std::byte>)>;

  explicit ByteInput(UniqueFd fd);
  explicit ByteInput(Pull pull) : pull_(std::move(pull)) {}

  // The next `count` bytes; fewer only if the input ends before. Valid until the next call.
  Result<std::span<const std::byte>> peek(std::size_t count);
  // Moves on by `count` bytes; false if the input ends before that.
  Result<bool> skip(std::uint64_t count);

  // Of the next byte, from the first that was read.
  std::uint64_t offset() const { return offset_; }
  // The input's length, known for regular files only.
  std::optional<std::uint64_t> size() const;

  // Regular files only: to an offset, and bytes from anywhere without moving.
  Status seek(std::uint64_t offset);
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> out);

 private:
  Status fill(std::size_t count);
  Result<std::size_t> read_some(std::span<std::byte> out);
  std::size_t held() const { return end_ - begin_; }

  UniqueFd fd_;
  Pull pull_;  // in place of a descriptor
  bool regular_ = false;
  std::uint64_t start_ = 0;  // the descriptor's position that is our offset 0
  std::uint64_t offset_ = 0;
  RawBytes buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool ended_ = false;
};

}  // namespace iovm::trace
