// SPDX-License-Identifier: Apache-2.0
#include "record/perf_data_sample.h"

#include <bit>

#include "record/perf_data_bytes.h"
#include "record/perf_data_format.h"

namespace iovm::record::perf {
namespace {

constexpr std::uint64_t kTrailerBits = kTid | kTime | kId | kStreamId | kCpu | kIdentifier;

bool has(const SampleLayout& layout, std::uint64_t bit) {
  return (layout.sample_type & bit) != 0;
}

std::optional<std::uint64_t> word_at(std::span<const std::byte> body, std::size_t offset) {
  if (offset + 8 > body.size()) return std::nullopt;
  return ByteWalk(body.subspan(offset)).take<std::uint64_t>();
}

// The counter values of PERF_SAMPLE_READ, which are in the way and of no use here.
void skip_read(ByteWalk& walk, std::uint64_t format) {
  std::uint64_t each = 1 + ((format & kReadId) != 0) + ((format & kReadLost) != 0);
  std::uint64_t times =
      std::uint64_t{(format & kReadEnabled) != 0} + std::uint64_t{(format & kReadRunning) != 0};
  if ((format & kReadGroup) == 0) return walk.skip(8 * (each + times));
  auto count = walk.take<std::uint64_t>();
  walk.skip(8 * times);
  // A count that no record can hold must fail before it is multiplied.
  walk.skip(count > walk.left() / 8 ? ~std::uint64_t{0} : 8 * each * count);
}

void skip_callchain(ByteWalk& walk) {
  auto count = walk.take<std::uint64_t>();
  walk.skip(count > walk.left() / 8 ? ~std::uint64_t{0} : 8 * count);
}

}  // namespace

std::optional<std::uint64_t> sample_id(const SampleLayout& layout,
                                       std::span<const std::byte> body) {
  if (has(layout, kIdentifier)) return word_at(body, 0);
  if (!has(layout, kId)) return std::nullopt;
  int before = std::popcount(layout.sample_type & (kIp | kTid | kTime | kAddr));
  return word_at(body, 8 * static_cast<std::size_t>(before));
}

std::optional<std::uint64_t> trailer_id(const SampleLayout& layout,
                                        std::span<const std::byte> body) {
  if (!layout.id_all) return std::nullopt;
  std::size_t back = 0;
  if (has(layout, kIdentifier)) {
    back = 8;
  } else if (has(layout, kId)) {
    back = 8 * (1 + static_cast<std::size_t>(has(layout, kStreamId)) +
                static_cast<std::size_t>(has(layout, kCpu)));
  }
  if (back == 0 || back > body.size()) return std::nullopt;
  return word_at(body, body.size() - back);
}

std::optional<Sample> parse_sample(const SampleLayout& layout, std::span<const std::byte> body) {
  ByteWalk walk(body);
  Sample sample;
  if (has(layout, kIdentifier)) sample.id = walk.take<std::uint64_t>();
  if (has(layout, kIp)) walk.skip(8);
  if (has(layout, kTid)) {
    sample.pid = walk.take<std::int32_t>();
    sample.tid = walk.take<std::int32_t>();
  }
  if (has(layout, kTime)) sample.time = walk.take<std::uint64_t>();
  if (has(layout, kAddr)) walk.skip(8);
  if (has(layout, kId)) sample.id = walk.take<std::uint64_t>();
  if (has(layout, kStreamId)) walk.skip(8);
  if (has(layout, kCpu)) walk.skip(8);
  if (has(layout, kPeriod)) walk.skip(8);
  if (has(layout, kRead)) skip_read(walk, layout.read_format);
  if (has(layout, kCallchain)) skip_callchain(walk);
  if (has(layout, kRaw)) sample.raw = walk.take_bytes(walk.take<std::uint32_t>());
  if (walk.failed()) return std::nullopt;
  return sample;
}

std::size_t trailer_bytes(const SampleLayout& layout) {
  if (!layout.id_all) return 0;
  return 8 * static_cast<std::size_t>(std::popcount(layout.sample_type & kTrailerBits));
}

std::optional<Sample> parse_trailer(const SampleLayout& layout, std::span<const std::byte> body) {
  std::size_t bytes = trailer_bytes(layout);
  if (bytes > body.size()) return std::nullopt;
  ByteWalk walk(body.last(bytes));
  Sample sample;
  if (bytes == 0) return sample;
  if (has(layout, kTid)) {
    sample.pid = walk.take<std::int32_t>();
    sample.tid = walk.take<std::int32_t>();
  }
  if (has(layout, kTime)) sample.time = walk.take<std::uint64_t>();
  if (has(layout, kId)) sample.id = walk.take<std::uint64_t>();
  if (has(layout, kStreamId)) walk.skip(8);
  if (has(layout, kCpu)) walk.skip(8);
  if (has(layout, kIdentifier)) sample.id = walk.take<std::uint64_t>();
  return sample;
}

}  // namespace iovm::record::perf
