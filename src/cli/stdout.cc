// SPDX-License-Identifier: Apache-2.0
#include "cli/stdout.h"

#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <string_view>
#include <utility>

#include "base/text.h"

namespace iovm::cli {

Result<TextOutput> TextOutput::open(const std::string& path) {
  TextOutput output;
  if (path == "-") return output;
  auto file = open_for_writing(path);
  if (!file) return std::move(file).error();
  output.file_ = *std::move(file);
  output.name_ = escape_terminal(path);
  return output;
}

Status TextOutput::flush() {
  int fd = file_ ? file_.get() : STDOUT_FILENO;
  std::string_view rest = text_;
  while (!rest.empty() && !closed_) {
    ssize_t put = ::write(fd, rest.data(), rest.size());
    if (put >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(put));
    } else if (errno == EPIPE) {
      closed_ = true;
    } else if (errno != EINTR) {
      return errno_error(name_);
    }
  }
  text_.clear();
  return {};
}

Status print_out(std::string text) {
  Stdout out;
  out.text() = std::move(text);
  return out.flush();
}

}  // namespace iovm::cli
