// SPDX-License-Identifier: Apache-2.0
//
// The facts of an event block's payload that its encoder and decoder share: the fixed head before
// the section table, and the order of the dictionary.
#pragma once

#include <cstddef>
#include <cstdint>

#include "trace/op.h"

namespace iovm::trace {

// 0 ops u32, 4 symbols u16, 6 time mode u8, 7 reserved, 8 quantum u64, 16 first time u64
inline constexpr std::size_t kColumnsHeadBytes = 24;

inline constexpr std::uint8_t kTimePlain = 0;  // symbols column: the distances, 8 planes
inline constexpr std::uint8_t kTimeCoded = 1;

// The dictionary: the fields of the ops (an address is where a column of them starts), the values'
// start, then the modes of addresses and of values.
inline constexpr std::size_t kDictionaryFields = kOpFields + 1;
inline constexpr std::size_t kDictionaryModes = 2;
// What one op takes in it at most.
inline constexpr std::size_t kMostPerOp = kDictionaryFields * 10 + kDictionaryModes;

}  // namespace iovm::trace
