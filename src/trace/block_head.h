// SPDX-License-Identifier: Apache-2.0
//
// The 96 bytes in front of every block's payload: enough to check the block, to skip it, to tell
// what is missing before it, and to sum up a file without decoding an event. They carry their own
// checksum, so that a damaged payload still tells how many events it held.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "trace/event.h"
#include "trace/format.h"

namespace iovm::trace {

struct BlockHead {
  BlockKind kind = BlockKind::events;  // other values: a kind that this version does not know
  std::uint8_t flags = 0;
  std::uint32_t payload_bytes = 0;
  std::uint64_t payload_check = 0;
  std::uint64_t number = 0;       // of the block in its file, from 0
  std::uint64_t first_entry = 0;  // events and losses in all blocks before this one
  std::uint32_t entries = 0;      // events and losses in this one
  std::uint32_t losses = 0;       // of those, losses
  LossTotals lost;                // what the losses say
  std::uint64_t earliest = 0;     // time of any entry; both 0 without entries
  std::uint64_t latest = 0;

  bool optional() const { return (flags & kOptionalBlock) != 0; }
};

std::array<std::byte, kBlockHeadBytes> encode_block_head(const BlockHead& head);

// Nothing unless it is a whole block head that matches its checksum, keeps the limits and has all
// reserved bits 0.
std::optional<BlockHead> parse_block_head(std::span<const std::byte> bytes);

}  // namespace iovm::trace
