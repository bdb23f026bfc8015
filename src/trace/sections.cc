// SPDX-License-Identifier: Apache-2.0
#include "trace/sections.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "trace/bytes.h"
#include "trace/format.h"

namespace iovm::trace {
namespace {

template <typename T>
void join(const std::byte* planes, std::size_t count, std::byte* out) {
  for (std::size_t i = 0; i < count; ++i) {
    T number = 0;
    for (std::size_t byte = 0; byte < sizeof(T); ++byte)
      number = static_cast<T>(
          number | static_cast<T>(static_cast<T>(planes[byte * count + i]) << (8 * byte)));
    store_le(out + i * sizeof(T), number);
  }
}

}  // namespace

SectionWriter::SectionWriter(Compressor& compressor, std::vector<std::byte>& out)
    : compressor_(compressor), out_(out), table_(out.size()) {
  out_.resize(table_ + kSectionTableBytes);
}

void SectionWriter::add(std::span<const std::byte> column, bool plain) {
  IOVM_ASSERT(next_ < kSections);
  std::size_t start = out_.size();
  std::size_t stored = plain || column.empty() ? column.size() : compressor_.append(column, out_);
  if (stored >= column.size()) {
    stored = column.size();
    out_.resize(start);
    out_.insert(out_.end(), column.begin(), column.end());
  }
  std::byte* entry = out_.data() + table_ + next_ * 8;
  store_le(entry, static_cast<std::uint32_t>(stored));
  store_le(entry + 4, static_cast<std::uint32_t>(column.size()));
  next_ += 1;
}

std::optional<SectionReader> SectionReader::parse(std::span<const std::byte> payload) {
  if (payload.size() < kSectionTableBytes) return std::nullopt;
  SectionReader reader;
  std::span<const std::byte> rest = payload.subspan(kSectionTableBytes);
  for (std::size_t i = 0; i < kSections; ++i) {
    std::size_t stored = load_le<std::uint32_t>(payload.data() + i * 8);
    std::size_t size = load_le<std::uint32_t>(payload.data() + i * 8 + 4);
    if (stored > rest.size() || stored > size || size > kLargestPayload) return std::nullopt;
    reader.entries_[i] = {rest.first(stored), size};
    rest = rest.subspan(stored);
  }
  if (!rest.empty()) return std::nullopt;
  return reader;
}

bool SectionReader::unpack(Section section, Decompressor& decompressor, RawBytes& out,
                           std::size_t padding) const {
  const auto& [stored, size] = of(section);
  if (out.size() < size + padding) out.resize(size + padding);
  std::span<std::byte> column = std::span(out).first(size);
  if (stored.size() == size)
    std::copy(stored.begin(), stored.end(), column.begin());
  else if (!decompressor.decompress(stored, column))
    return false;
  std::fill_n(out.begin() + static_cast<std::ptrdiff_t>(size), padding, std::byte{0});
  return true;
}

void put_planes(std::span<const std::uint64_t> numbers, std::size_t width,
                std::vector<std::byte>& out) {
  std::size_t start = out.size();
  out.resize(start + numbers.size() * width);
  std::byte* at = out.data() + start;
  for (std::size_t byte = 0; byte < width; ++byte)
    for (std::uint64_t number : numbers) *at++ = static_cast<std::byte>(number >> (8 * byte));
}

void join_planes(const std::byte* planes, std::size_t count, std::size_t width, std::byte* out) {
  switch (width) {
    case 1:
      std::memcpy(out, planes, count);
      break;
    case 2:
      return join<std::uint16_t>(planes, count, out);
    case 4:
      return join<std::uint32_t>(planes, count, out);
    default:
      IOVM_ASSERT(width == 8);
      return join<std::uint64_t>(planes, count, out);
  }
}

}  // namespace iovm::trace
