// SPDX-License-Identifier: Apache-2.0
//
// The hash chain of a trace (docs/trace-format.md, chain blocks): SHA-256 of every block, in blocks
// of its own, each of which carries the hash of the one before. What it is worth: who has the last
// link from elsewhere (the line that record printed, a bundle, a signed mail) can tell that nothing
// was altered, removed, put in another order or cut off. The file alone cannot prove that: who can
// write it can make a new chain. Checksums (XXH3) tell of accidents only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/sha256.h"

namespace iovm::trace {

// A writer puts a chain block out after so many others.
inline constexpr std::size_t kChainEvery = 64;
// A chain block covers no more.
inline constexpr std::size_t kMostChained = 65536;

struct ChainBlock {
  std::uint64_t first = 0;  // number of the first block that it covers
  bool last = false;        // nothing but the index follows
  Sha256 before = {};       // the link before this one
  std::vector<Sha256> blocks;
  Sha256 link = {};  // of all of the above
};

// Nothing if it is no chain block, or if its link is not that of its content.
std::optional<ChainBlock> parse_chain(std::span<const std::byte> payload);

// Makes the chain blocks of one file, as its blocks are written.
class Chain {
 public:
  explicit Chain(std::span<const std::byte> file_head);

  // A block as it stands in the file, head and payload.
  void add(std::uint64_t number, std::span<const std::byte> block);
  std::size_t pending() const { return blocks_.size(); }
  // The payload of a chain block over what was added since the last one.
  std::vector<std::byte> link(std::uint64_t next_number, bool last);
  // The last link.
  const Sha256& end() const { return link_; }

 private:
  Sha256Hasher hash_;
  Sha256 link_;
  std::uint64_t first_ = 0;
  std::vector<Sha256> blocks_;
};

}  // namespace iovm::trace
