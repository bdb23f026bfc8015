// SPDX-License-Identifier: Apache-2.0
//
// The part of the rule language that says which accesses are meant:
//
//   write fdc "data FIFO" command 0x8e          a register by the name the device tables give it
//   read 8086:100e bar0 0x3810-0x3813 size 4    or by number
//   access unassigned port from user            or a whole device, or no device at all
//
// Names are held against the device tables while reading, so that a misspelt register is a fault of
// the file and not a rule that never hits.
#pragma once

#include <variant>

#include "detect/rule.h"
#include "detect/rule_words.h"

namespace iovm::detect {

// Takes an access from the words, up to `or` or the end of the line.
std::variant<AccessPattern, RuleFault> parse_access(Words& words);

// Takes a list of numbers: [not] 1,2-5,0x05/0x1f.
std::variant<Numbers, RuleFault> parse_numbers(Words& words);

}  // namespace iovm::detect
