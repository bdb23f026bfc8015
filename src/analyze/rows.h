// SPDX-License-Identifier: Apache-2.0
//
// A titled table of `iovm info`: the first rows, and how many more there are.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/format.h"

namespace iovm::analyze {

inline constexpr std::size_t kShownRows = 12;

// `row` gives the text of the row of a number, with its line end. No rows, no table.
template <typename Row>
std::string rows(std::string_view title, std::size_t count, Row row) {
  if (count == 0) return {};
  std::string text = format("  {}\n", title);
  for (std::size_t i = 0; i < std::min(count, kShownRows); ++i) text += row(i);
  if (count > kShownRows)
    text += format("    and {} more (--json has them all)\n", count - kShownRows);
  return text;
}

}  // namespace iovm::analyze
