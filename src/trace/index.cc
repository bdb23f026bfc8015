// SPDX-License-Identifier: Apache-2.0
#include "trace/index.h"

#include <algorithm>

#include "trace/bytes.h"
#include "trace/compress.h"

namespace iovm::trace {
namespace {

constexpr std::size_t kFixedBytes = 40;  // up to the first run
constexpr std::size_t kRunBytes = 48;
constexpr std::uint64_t kContextFlag = 1;
constexpr std::uint64_t kEntriesFlag = 2;

void merge(IndexRun& into, const IndexRun& next) {
  if (next.entries) {
    into.earliest = into.entries ? std::min(into.earliest, next.earliest) : next.earliest;
    into.latest = into.entries ? std::max(into.latest, next.latest) : next.latest;
  }
  into.entries |= next.entries;
  into.context |= next.context;
  into.blocks += next.blocks;
}

void put_run(std::byte* at, const IndexRun& run) {
  store_le(at, run.offset);
  store_le(at + 8, run.first_entry);
  store_le(at + 16, run.blocks);
  store_le(at + 24, (run.context ? kContextFlag : 0) | (run.entries ? kEntriesFlag : 0));
  store_le(at + 32, run.earliest);
  store_le(at + 40, run.latest);
}

IndexRun get_run(const std::byte* at) {
  auto flags = load_le<std::uint64_t>(at + 24);
  return {load_le<std::uint64_t>(at),      load_le<std::uint64_t>(at + 8),
          load_le<std::uint64_t>(at + 16), (flags & kContextFlag) != 0,
          (flags & kEntriesFlag) != 0,     load_le<std::uint64_t>(at + 32),
          load_le<std::uint64_t>(at + 40)};
}

}  // namespace

void Index::add(std::uint64_t offset, const BlockHead& head) {
  // Chain blocks are not among what every reader must see.
  bool context = head.kind != BlockKind::events && head.kind != BlockKind::chain;
  IndexRun run{offset, head.first_entry, 1, context, head.entries > 0, head.earliest, head.latest};
  blocks += 1;
  entries = head.first_entry + head.entries;
  if (!runs.empty() && runs.back().blocks < per_run_) {
    merge(runs.back(), run);
    return;
  }
  runs.push_back(run);
  if (runs.size() > kMostIndexEntries) thin();
}

void Index::thin() {
  std::vector<IndexRun> half;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (i % 2 == 0)
      half.push_back(runs[i]);
    else
      merge(half.back(), runs[i]);
  }
  runs = std::move(half);
  per_run_ *= 2;
}

std::vector<std::byte> encode_index(const Index& index, std::uint64_t offset) {
  std::size_t runs_end = kFixedBytes + index.runs.size() * kRunBytes;
  std::vector<std::byte> out(runs_end + kIndexTailBytes);
  store_le(out.data(), kSkippableMagic);
  store_le(out.data() + 4, static_cast<std::uint32_t>(out.size() - 8));
  std::memcpy(out.data() + 8, kSync.data(), kSync.size());
  out[15] = static_cast<std::byte>(kIndexMark);
  store_le(out.data() + 16, index.blocks);
  store_le(out.data() + 24, index.entries);
  store_le(out.data() + 32, static_cast<std::uint64_t>(index.runs.size()));
  for (std::size_t i = 0; i < index.runs.size(); ++i)
    put_run(out.data() + kFixedBytes + i * kRunBytes, index.runs[i]);
  std::byte* tail = out.data() + runs_end;
  store_le(tail, offset);
  store_le(tail + 8, checksum(std::span(out).first(runs_end + 8)));
  std::memcpy(tail + 16, out.data() + 8, 8);
  return out;
}

std::optional<std::size_t> index_frame_bytes(std::span<const std::byte> head) {
  if (head.size() < kIndexHeadBytes || load_le<std::uint32_t>(head.data()) != kSkippableMagic ||
      std::memcmp(head.data() + 8, kSync.data(), kSync.size()) != 0 ||
      head[15] != static_cast<std::byte>(kIndexMark))
    return std::nullopt;
  std::size_t bytes = std::size_t{load_le<std::uint32_t>(head.data() + 4)} + 8;
  constexpr std::size_t kLeast = kFixedBytes + kIndexTailBytes;
  if (bytes < kLeast || bytes > kLeast + kMostIndexEntries * kRunBytes) return std::nullopt;
  return bytes;
}

std::optional<Index> parse_index(std::span<const std::byte> frame) {
  auto bytes = index_frame_bytes(frame);
  if (!bytes || *bytes != frame.size()) return std::nullopt;
  auto count = load_le<std::uint64_t>(frame.data() + 32);
  std::size_t runs_end = frame.size() - kIndexTailBytes;
  if (count > kMostIndexEntries || kFixedBytes + count * kRunBytes != runs_end) return std::nullopt;
  auto offset = index_offset(frame.last(kIndexTailBytes));
  if (!offset ||
      load_le<std::uint64_t>(frame.data() + runs_end + 8) != checksum(frame.first(runs_end + 8)))
    return std::nullopt;
  Index index;
  index.blocks = load_le<std::uint64_t>(frame.data() + 16);
  index.entries = load_le<std::uint64_t>(frame.data() + 24);
  std::uint64_t after = 0;
  for (std::size_t i = 0; i < count; ++i) {
    IndexRun run = get_run(frame.data() + kFixedBytes + i * kRunBytes);
    if (run.offset < after || run.offset >= *offset) return std::nullopt;
    after = run.offset + kBlockHeadBytes;
    index.runs.push_back(run);
  }
  return index;
}

std::optional<std::uint64_t> index_offset(std::span<const std::byte> tail) {
  if (tail.size() != kIndexTailBytes ||
      std::memcmp(tail.data() + 16, kSync.data(), kSync.size()) != 0 ||
      tail[23] != static_cast<std::byte>(kIndexMark))
    return std::nullopt;
  return load_le<std::uint64_t>(tail.data());
}

}  // namespace iovm::trace
