// SPDX-License-Identifier: Apache-2.0
//
// The first 16 bytes of every file that iovm writes. They are plain, never compressed and the same
// for all file types, so that the version can be told before anything else is decoded:
//
//   0  8  magic    89 'i' 'o' 'v' 'm' TYPE 0d 0a    TYPE: 't' trace, 'm' model
//   8  2  version  little-endian, of the file type's format
//  10  2  flags    reserved: 0, else the file is refused
//  12  4  check    low half of XXH3-64 of the bytes 0-11
//
// The magic is no text (89), and a transfer "as text" that rewrites line ends breaks it visibly.
// Also here: what a file is that is not what was asked for, for messages.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace iovm::trace {

enum class FileType : std::uint8_t { trace, model };

struct FileHead {
  FileType type = FileType::trace;
  std::uint16_t version = 0;
};

inline constexpr std::size_t kFileHeadBytes = 16;

std::array<std::byte, kFileHeadBytes> encode_file_head(FileHead head);

// The head of a file whose first bytes (16, or more for better messages; fewer if it is shorter)
// are given. The error says what the file is instead and what to do about it; so does the one for a
// version above `newest`.
Result<FileHead> parse_file_head(std::span<const std::byte> first, FileType wanted,
                                 std::uint16_t newest);

// "an empty file", "a text file", "an iovm model file", "a perf.data file", "data of no known
// kind"... from a file's first bytes (64 are enough).
std::string_view describe_content(std::span<const std::byte> first);

}  // namespace iovm::trace
