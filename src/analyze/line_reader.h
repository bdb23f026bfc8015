// SPDX-License-Identifier: Apache-2.0
//
// Lines of a text file, pipe or string, one at a time and without copies: what the text imports
// stand on. A line is a view into one buffer that is refilled in large pieces; it is valid until
// the next call. The longest line is limited before the memory for it is taken, so that a file
// without a line end is an error and not a full memory. "\n" and "\r\n" end a line; the last one
// may do without.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace iovm::analyze {

class LineReader {
 public:
  LineReader(UniqueFd fd, std::size_t longest_line);
  LineReader(std::string text, std::size_t longest_line);

  // The next line without its end; nothing at the end of the input.
  Result<std::optional<std::string_view>> next() {
    if (const char* end = find_end()) return take(end, 1);
    return refill_and_next();
  }
  // Whether next() has a whole line at hand and need not read (and perhaps wait) for it.
  bool has_line();
  // Of the line that next() gave last; the first is 1.
  std::uint64_t number() const { return number_; }
  // The first bytes of the input, without taking them: to see what kind of file it is.
  Result<std::string_view> peek(std::size_t bytes);

 private:
  const char* find_end();
  std::optional<std::string_view> take(const char* end, std::size_t terminator);
  Result<std::optional<std::string_view>> refill_and_next();
  Status refill();

  UniqueFd fd_;
  std::vector<char> buffer_;  // [begin_, end_) is read and not yet given out
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t searched_ = 0;  // there is no line end in [begin_, searched_)
  std::size_t longest_line_;
  std::uint64_t number_ = 0;
  bool at_end_ = false;
};

// What a file is that is no text of ours, told by its first bytes: "a zstd file" and the like, with
// what to do about it; nothing if it may be text.
std::optional<std::string> foreign_file(std::string_view head);

}  // namespace iovm::analyze
