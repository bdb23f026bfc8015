// SPDX-License-Identifier: Apache-2.0
#include "cli/stdout.h"

#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <string_view>

namespace iovm::cli {

Status Stdout::flush() {
  std::string_view rest = text_;
  while (!rest.empty() && !closed_) {
    ssize_t put = ::write(STDOUT_FILENO, rest.data(), rest.size());
    if (put >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(put));
    } else if (errno == EPIPE) {
      closed_ = true;
    } else if (errno != EINTR) {
      return errno_error("writing standard output");
    }
  }
  text_.clear();
  return {};
}

}  // namespace iovm::cli
