// SPDX-License-Identifier: Apache-2.0
//
// A frame: how metadata (tables of a trace, a whole model) stands in a file. The bytes inside come
// from an Archive (trace/archive.h); the frame around them is checked before anybody looks at them:
//
//   0  4  stored    bytes that follow the frame's head
//   4  4  size      bytes after decompression
//   8  8  check     XXH3-64 of the stored bytes
//  16  -  one zstd frame
//
// Both lengths are checked against the caller's limit before any memory is taken.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"

namespace iovm::trace {

inline constexpr std::size_t kFrameHeadBytes = 16;
// What a frame may hold at most, whoever reads it.
inline constexpr std::size_t kLargestFrame = std::size_t{1} << 30;

// Asserts that the content is not larger than kLargestFrame.
std::vector<std::byte> encode_frame(std::span<const std::byte> content, int compression_level = 3);

struct Frame {
  std::vector<std::byte> content;
  std::size_t bytes = 0;  // that the frame took from the input, head and all
};

// The frame at the start of `input`; bytes behind it are left alone. `limit` bounds the content.
Result<Frame> decode_frame(std::span<const std::byte> input, std::size_t limit);

}  // namespace iovm::trace
