// SPDX-License-Identifier: Apache-2.0
//
// The index at the end of a trace: runs of blocks, each with its place, its times and whether it
// holds context. A reader that wants a span of time jumps over the runs without either; everything
// else in a file can be told without it. It has at most kMostIndexEntries runs: a longer recording
// gets longer runs, so that the memory of a writer does not grow with its trace.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "trace/block_head.h"

namespace iovm::trace {

struct IndexRun {
  std::uint64_t offset = 0;       // of its first block in the file
  std::uint64_t first_entry = 0;  // events and losses before it
  std::uint64_t blocks = 0;
  bool context = false;        // it holds a block that is neither of events nor of the chain
  bool entries = false;        // it holds events or losses; the times mean something
  std::uint64_t earliest = 0;  // over all its entries
  std::uint64_t latest = 0;

  // Whether a reader of from <= time < to needs it.
  bool wanted(std::uint64_t from, std::uint64_t to) const {
    return context || (entries && latest >= from && earliest < to);
  }
  friend bool operator==(const IndexRun&, const IndexRun&) = default;
};

struct Index {
  std::vector<IndexRun> runs;
  std::uint64_t blocks = 0;
  std::uint64_t entries = 0;  // events and losses of the whole trace

  // Takes note of the block at `offset`.
  void add(std::uint64_t offset, const BlockHead& head);
  // Whether they say the same.
  friend bool operator==(const Index& a, const Index& b) {
    return a.blocks == b.blocks && a.entries == b.entries && a.runs == b.runs;
  }

 private:
  void thin();
  std::uint64_t per_run_ = 1;
};

// The whole skippable frame, for a file in which it begins at `offset`.
std::vector<std::byte> encode_index(const Index& index, std::uint64_t offset);

// An index frame's first bytes: where its length stands, and how its mark is known.
inline constexpr std::size_t kIndexHeadBytes = 16;
// The length of the frame that begins with these bytes, all in all; nothing if no index does.
std::optional<std::size_t> index_frame_bytes(std::span<const std::byte> head);
// Nothing if it does not match its checksum or breaks its own rules. (It may stand elsewhere than
// it says: bytes before it came or went. The blocks will tell.)
std::optional<Index> parse_index(std::span<const std::byte> frame);
// Where the index begins, from the last kIndexTailBytes of a file.
std::optional<std::uint64_t> index_offset(std::span<const std::byte> tail);

}  // namespace iovm::trace
