// SPDX-License-Identifier: Apache-2.0
//
// Where data goes out as text in large amounts, to standard output or to a file: it is gathered and
// written in pieces. A reader that has seen enough and went away (| head) is no error: closed()
// says so, and the command ends quietly. A full disk is an error like any other.
#pragma once

#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace iovm::cli {

class TextOutput {
 public:
  // `path` is made anew; "-" is standard output, a terminal or not.
  static Result<TextOutput> open(const std::string& path);

  // Append to it, then let flush_if_full() or flush() write it.
  std::string& text() { return text_; }
  Status flush_if_full() { return text_.size() < kPiece ? Status() : flush(); }
  Status flush();
  bool closed() const { return closed_; }

 protected:
  TextOutput() = default;

 private:
  static constexpr std::size_t kPiece = 64U << 10;
  std::string text_;
  UniqueFd file_;  // none: standard output
  std::string name_ = "writing standard output";
  bool closed_ = false;
};

class Stdout : public TextOutput {};

// All of a text at once.
Status print_out(std::string text);

}  // namespace iovm::cli
