// SPDX-License-Identifier: Apache-2.0
#include "trace/block_head.h"

#include "trace/bytes.h"
#include "trace/compress.h"

namespace iovm::trace {
namespace {

constexpr std::size_t kCheckAt = kBlockHeadBytes - 8;

// Both directions walk the fields in one order, given once.
template <typename Bytes, typename Field>
void each_field(Bytes bytes, Field field) {
  field(bytes + 12, &BlockHead::payload_bytes);
  field(bytes + 16, &BlockHead::payload_check);
  field(bytes + 24, &BlockHead::number);
  field(bytes + 32, &BlockHead::first_entry);
  field(bytes + 40, &BlockHead::entries);
  field(bytes + 44, &BlockHead::losses);
  field(bytes + 72, &BlockHead::earliest);
  field(bytes + 80, &BlockHead::latest);
}

template <typename Bytes, typename Field>
void each_loss(Bytes bytes, Field field) {
  field(bytes + 48, &LossTotals::ring);
  field(bytes + 56, &LossTotals::source);
  field(bytes + 64, &LossTotals::damaged);
}

bool keeps_limits(const BlockHead& head) {
  return head.payload_bytes <= kLargestPayload && head.entries <= kMostEntries &&
         head.losses <= head.entries && head.earliest <= head.latest &&
         (head.flags & ~kOptionalBlock) == 0;
}

}  // namespace

std::array<std::byte, kBlockHeadBytes> encode_block_head(const BlockHead& head) {
  std::array<std::byte, kBlockHeadBytes> out{};
  std::memcpy(out.data(), kSync.data(), kSync.size());
  out[7] = static_cast<std::byte>(kBlockMark);
  out[8] = static_cast<std::byte>(head.kind);
  out[9] = static_cast<std::byte>(head.flags);
  each_field(out.data(), [&](std::byte* at, auto field) { store_le(at, head.*field); });
  each_loss(out.data(), [&](std::byte* at, auto field) { store_le(at, head.lost.*field); });
  store_le(out.data() + kCheckAt, checksum(std::span(out).first(kCheckAt)));
  return out;
}

std::optional<BlockHead> parse_block_head(std::span<const std::byte> bytes) {
  if (bytes.size() < kBlockHeadBytes) return std::nullopt;
  if (std::memcmp(bytes.data(), kSync.data(), kSync.size()) != 0 ||
      bytes[7] != static_cast<std::byte>(kBlockMark))
    return std::nullopt;
  if (load_le<std::uint64_t>(bytes.data() + kCheckAt) != checksum(bytes.first(kCheckAt)))
    return std::nullopt;
  BlockHead head;
  head.kind = static_cast<BlockKind>(bytes[8]);
  head.flags = static_cast<std::uint8_t>(bytes[9]);
  each_field(bytes.data(), [&](const std::byte* at, auto field) {
    std::memcpy(&(head.*field), at, sizeof(head.*field));
  });
  each_loss(bytes.data(), [&](const std::byte* at, auto field) {
    head.lost.*field = load_le<std::uint64_t>(at);
  });
  if (load_le<std::uint16_t>(bytes.data() + 10) != 0 || !keeps_limits(head)) return std::nullopt;
  return head;
}

}  // namespace iovm::trace
