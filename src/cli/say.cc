// SPDX-License-Identifier: Apache-2.0
#include "cli/say.h"

#include <cstdio>

#include "base/format.h"

namespace iovm::cli {

void Say::operator()(std::string_view text) const {
  std::string line = format("{}: {}\n", who, text);
  std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace iovm::cli
