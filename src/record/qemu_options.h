// SPDX-License-Identifier: Apache-2.0
//
// The syntax of QEMU's options, "a=1,b=2": the part of it that command lines are read by.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace iovm::record {

// Pairs of key and value; a piece without '=' has no key; ",," is a comma.
using Pairs = std::vector<std::pair<std::string, std::string>>;
Pairs parse_pairs(std::string_view text);

// The value of `key`, of several the last; the first piece may leave its key out if it is the
// implied one.
std::optional<std::string> value_of(const Pairs& pairs, std::string_view key, bool implied);

}  // namespace iovm::record
