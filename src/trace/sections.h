// SPDX-License-Identifier: Apache-2.0
//
// The columns of an event block's payload: a table of lengths, then each column, as a zstd frame
// where that is shorter and plain where it is not. And byte planes: all first bytes of a column of
// numbers, then all second bytes..., which puts the bytes that hardly change beside each other.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "trace/compress.h"
#include "trace/raw_bytes.h"

namespace iovm::trace {

enum class Section : std::uint8_t {
  dictionary,
  op_numbers,
  time_table,
  time_symbols,
  time_residues,
  time_bits,
  addresses,
  values,
};
inline constexpr std::size_t kSections = 8;
inline constexpr std::size_t kSectionTableBytes = kSections * 8;

class SectionWriter {
 public:
  // Writes behind what `out` holds, which keeps its memory from block to block.
  SectionWriter(Compressor& compressor, std::vector<std::byte>& out);
  // Every section once, in order; `plain` where compressing is known to be vain.
  void add(std::span<const std::byte> column, bool plain = false);

 private:
  Compressor& compressor_;
  std::vector<std::byte>& out_;
  std::size_t table_;
  std::size_t next_ = 0;
};

class SectionReader {
 public:
  // Nothing unless the table's lengths add up to the payload.
  static std::optional<SectionReader> parse(std::span<const std::byte> payload);

  std::size_t size(Section section) const { return of(section).size; }
  // The column in out[0, size), which has `padding` further bytes (zeros) for wide loads behind it;
  // false if it does not unpack.
  bool unpack(Section section, Decompressor& decompressor, RawBytes& out,
              std::size_t padding = 0) const;

 private:
  struct Entry {
    std::span<const std::byte> stored;
    std::size_t size = 0;
  };
  const Entry& of(Section section) const { return entries_[static_cast<std::size_t>(section)]; }
  std::array<Entry, kSections> entries_;
};

// Appends `width` planes of the numbers' low bytes.
void put_planes(std::span<const std::uint64_t> numbers, std::size_t width,
                std::vector<std::byte>& out);
// The reverse: `count` numbers of `width` bytes (1, 2, 4 or 8), native, one after the other.
void join_planes(const std::byte* planes, std::size_t count, std::size_t width, std::byte* out);

}  // namespace iovm::trace
