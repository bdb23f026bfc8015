// SPDX-License-Identifier: Apache-2.0
#include "trace/chain.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "trace/bytes.h"

namespace iovm::trace {
namespace {

// The payload: first block (8), blocks (4), flags (1), reserved (3), the link before (32), the
// digests (32 each), the link (32).
constexpr std::size_t kCountAt = 8;
constexpr std::size_t kFlagsAt = 12;
constexpr std::size_t kBeforeAt = 16;
constexpr std::size_t kDigestsAt = 48;
constexpr std::byte kLast{1};

void append(const Sha256& digest, std::vector<std::byte>& out) {
  auto bytes = std::as_bytes(std::span(digest));
  out.insert(out.end(), bytes.begin(), bytes.end());
}

Sha256 digest_at(const std::byte* at) {
  Sha256 digest;
  std::memcpy(digest.data(), at, digest.size());
  return digest;
}

}  // namespace

std::optional<ChainBlock> parse_chain(std::span<const std::byte> payload) {
  constexpr std::size_t kDigest = sizeof(Sha256);
  if (payload.size() < kDigestsAt + kDigest) return std::nullopt;
  std::size_t count = load_le<std::uint32_t>(payload.data() + kCountAt);
  if (count > kMostChained || payload.size() != kDigestsAt + (count + 1) * kDigest)
    return std::nullopt;
  auto reserved = payload.subspan(kFlagsAt + 1, kBeforeAt - kFlagsAt - 1);
  bool clean =
      std::all_of(reserved.begin(), reserved.end(), [](std::byte b) { return b == std::byte{}; });
  if (!clean || (payload[kFlagsAt] & ~kLast) != std::byte{}) return std::nullopt;
  ChainBlock block;
  block.first = load_le<std::uint64_t>(payload.data());
  block.last = payload[kFlagsAt] == kLast;
  block.before = digest_at(payload.data() + kBeforeAt);
  for (std::size_t i = 0; i < count; ++i)
    block.blocks.push_back(digest_at(payload.data() + kDigestsAt + i * kDigest));
  auto covered = payload.first(payload.size() - kDigest);
  block.link = sha256(covered);
  if (block.link != digest_at(payload.data() + covered.size())) return std::nullopt;
  return block;
}

Chain::Chain(std::span<const std::byte> file_head) : link_(hash_.add(file_head).finish()) {}

void Chain::add(std::uint64_t number, std::span<const std::byte> block) {
  IOVM_ASSERT(blocks_.size() < kMostChained);
  if (blocks_.empty()) first_ = number;
  blocks_.push_back(hash_.add(block).finish());
}

std::vector<std::byte> Chain::link(std::uint64_t next_number, bool last) {
  if (blocks_.empty()) first_ = next_number;
  std::vector<std::byte> payload(kDigestsAt);
  store_le(payload.data(), first_);
  store_le(payload.data() + kCountAt, static_cast<std::uint32_t>(blocks_.size()));
  payload[kFlagsAt] = last ? kLast : std::byte{};
  std::memcpy(payload.data() + kBeforeAt, link_.data(), link_.size());
  for (const Sha256& digest : blocks_) append(digest, payload);
  link_ = hash_.add(payload).finish();
  append(link_, payload);
  blocks_.clear();
  return payload;
}

}  // namespace iovm::trace
