// SPDX-License-Identifier: Apache-2.0
//
// iovm::format is std::format, which g++ 12 does not have: fmt stands in for it, here and nowhere
// else.
#pragma once

#include <fmt/format.h>

namespace iovm {
using fmt::format;
using fmt::format_to;
}  // namespace iovm
