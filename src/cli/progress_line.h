// SPDX-License-Identifier: Apache-2.0
//
// What a long command tells while it runs, on standard error: one line that is written over on a
// terminal, a new line every ten seconds elsewhere (a log). The text must be safe to print.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace iovm::cli {

class ProgressLine {
 public:
  explicit ProgressLine(std::string who);
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  ~ProgressLine() { clear(); }

  // Shows `text` if it is time to.
  void show(std::string_view text);
  // Takes the line off the terminal, before something else is printed.
  void clear();

 private:
  std::string who_;
  bool terminal_;
  bool shown_ = false;
  std::uint64_t told_;  // ns, monotonic
};

}  // namespace iovm::cli
