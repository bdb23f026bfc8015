// SPDX-License-Identifier: Apache-2.0
//
// Standard output for data that comes in large amounts: text is gathered and written in pieces. A
// reader that has seen enough and went away (| head) is no error: closed() says so, and the command
// ends quietly. A full disk is an error like any other.
#pragma once

#include <string>

#include "base/result.h"

namespace iovm::cli {

class Stdout {
 public:
  // Append to it, then let flush_if_full() or flush() write it.
  std::string& text() { return text_; }
  Status flush_if_full() { return text_.size() < kPiece ? Status() : flush(); }
  Status flush();
  bool closed() const { return closed_; }

 private:
  static constexpr std::size_t kPiece = 64U << 10;
  std::string text_;
  bool closed_ = false;
};

}  // namespace iovm::cli
