// SPDX-License-Identifier: Apache-2.0
//
// The facts of trace format version 1, as docs/trace-format.md states them; that page is normative.
// The writer and the readers include this and nothing of each other.
//
//   file  = file-head block* [index]
//   block = block-head payload
//
// The first 7 bytes of a block's sync marker also stand in the index, so that a reader that lost
// its way looks for one string only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace iovm::trace {

inline constexpr std::uint16_t kTraceVersion = 1;

// What a reader that lost its way looks for. The next byte tells what it found.
inline constexpr std::string_view kSync{"\xd6iovm\xa9\x1e", 7};
inline constexpr char kBlockMark = 'B';
inline constexpr char kIndexMark = 'X';

inline constexpr std::size_t kBlockHeadBytes = 96;

enum class BlockKind : std::uint8_t { context = 1, events = 2, chain = 3 };

// Block flags. A reader skips a block of unknown kind if it is optional, and else refuses the file.
inline constexpr std::uint8_t kOptionalBlock = 1;

// Limits: nobody writes more, and every reader refuses more before it takes memory for it.
inline constexpr std::size_t kMostEntries = 65536;           // events in a block
inline constexpr std::size_t kLargestPayload = 8U << 20;     // of any block
inline constexpr std::size_t kLongestText = 64U << 10;       // of a name, a note...
inline constexpr std::size_t kMostPciFunctions = 1024;       // of a VM
inline constexpr std::size_t kMostPciRegions = 7;            // of a PCI function
inline constexpr std::size_t kMostProcesses = 1U << 24;      // of a trace
inline constexpr std::size_t kLargestProcessGap = 1U << 20;  // lost entries of the table
inline constexpr std::size_t kMostIndexEntries = 8192;

// The index is a zstd skippable frame, so that it is one more frame to anything that knows zstd.
inline constexpr std::uint32_t kSkippableMagic = 0x184d2a5d;
inline constexpr std::size_t kIndexTailBytes = 24;  // at the end of the file: the way to the index

}  // namespace iovm::trace
