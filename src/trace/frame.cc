// SPDX-License-Identifier: Apache-2.0
#include "trace/frame.h"

#include <algorithm>

#include "base/assert.h"
#include "base/format.h"
#include "base/text.h"
#include "trace/bytes.h"
#include "trace/compress.h"

namespace iovm::trace {

std::vector<std::byte> encode_frame(std::span<const std::byte> content, int compression_level) {
  IOVM_ASSERT(content.size() <= kLargestFrame);
  std::vector<std::byte> out(kFrameHeadBytes);
  std::size_t stored = Compressor(compression_level).append(content, out);
  store_le(out.data(), static_cast<std::uint32_t>(stored));
  store_le(out.data() + 4, static_cast<std::uint32_t>(content.size()));
  store_le(out.data() + 8, checksum(std::span(out).subspan(kFrameHeadBytes)));
  return out;
}

Result<Frame> decode_frame(std::span<const std::byte> input, std::size_t limit) {
  if (input.size() < kFrameHeadBytes) return input_error("the file ends inside a frame's head");
  std::size_t stored = load_le<std::uint32_t>(input.data());
  std::size_t size = load_le<std::uint32_t>(input.data() + 4);
  limit = std::min(limit, kLargestFrame);
  if (size > limit) {
    return input_error(format("a frame claims to hold {}, more than the {} allowed",
                              describe_size(size), describe_size(limit)));
  }
  std::span<const std::byte> rest = input.subspan(kFrameHeadBytes);
  if (stored > rest.size()) return input_error("the file ends inside a frame");
  rest = rest.first(stored);
  if (checksum(rest) != load_le<std::uint64_t>(input.data() + 8))
    return input_error("a frame does not match its checksum");
  Frame frame{std::vector<std::byte>(size), kFrameHeadBytes + stored};
  if (!Decompressor().decompress(rest, frame.content))
    return input_error("a frame does not decompress to the size it claims");
  return frame;
}

}  // namespace iovm::trace
