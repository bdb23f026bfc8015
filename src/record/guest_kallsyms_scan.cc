// SPDX-License-Identifier: Apache-2.0
#include "record/guest_kallsyms_scan.h"

#include <algorithm>

namespace iovm::record {
namespace {

using Run = KernelImage::Run;

constexpr std::size_t kTokens = 256;
constexpr std::size_t kIndexBytes = kTokens * sizeof(std::uint16_t);
constexpr std::size_t kMaxTokens = 16384;  // bytes of the token table
constexpr std::size_t kMaxToken = 64;      // of one
constexpr std::size_t kMaxMarkers = 4096;  // a million symbols
constexpr std::size_t kFewestMarkers = 4;  // a thousand
constexpr std::size_t kMaxName = 512;
constexpr int kMostTries = 16;  // of things that look like the last two tables

constexpr std::size_t aligned(std::size_t size) {
  return (size + 7) & ~std::size_t{7};
}

bool is_zero(const Run& run, std::size_t at) {
  return run.bytes[at] == std::byte{0};
}

bool is_token_index(const Run& run, std::size_t at) {
  auto last = run.at<std::uint16_t>(at);
  if (last != 0) return false;
  for (std::size_t i = 1; i < kTokens; ++i) {
    auto next = run.at<std::uint16_t>(at + 2 * i);
    if (next < last + 2 || next > last + kMaxToken) return false;
    last = next;
  }
  return last < kMaxTokens;
}

// Whether the strings of that index begin at `table`, and end before the index.
bool is_token_table(const Run& run, std::size_t table, std::size_t index) {
  for (std::size_t i = 0; i < kTokens; ++i) {
    std::size_t token = table + run.at<std::uint16_t>(index + 2 * i);
    if (is_zero(run, token) || (i > 0 && !is_zero(run, token - 1))) return false;
  }
  std::size_t end = table + run.at<std::uint16_t>(index + kIndexBytes - 2);
  while (end < index && !is_zero(run, end)) ++end;
  if (end == index || index - end > 8) return false;
  return std::all_of(run.bytes.begin() + static_cast<std::ptrdiff_t>(end),
                     run.bytes.begin() + static_cast<std::ptrdiff_t>(index),
                     [](std::byte b) { return b == std::byte{0}; });
}

std::optional<std::size_t> token_table_before(const Run& run, std::size_t index) {
  std::size_t last = run.at<std::uint16_t>(index + kIndexBytes - 2);
  for (std::size_t size = aligned(last + 2); size <= aligned(last + kMaxToken); size += 8)
    if (size <= index && is_token_table(run, index - size, index)) return index - size;
  return std::nullopt;
}

struct Markers {
  std::size_t at = 0;
  std::size_t count = 0;
};

std::optional<Markers> markers_before(const Run& run, std::size_t end) {
  std::size_t at = end;
  std::uint32_t above = ~std::uint32_t{0};
  if (at >= 8 && run.at<std::uint32_t>(at - 4) == 0) at -= 4;  // to a multiple of 8
  for (std::size_t count = 1; count <= kMaxMarkers && at >= 4; ++count) {
    at -= 4;
    auto marker = run.at<std::uint32_t>(at);
    if (marker == 0)
      return count < kFewestMarkers ? std::nullopt : std::optional(Markers{at, count});
    if (marker >= above) return std::nullopt;
    above = marker;
  }
  return std::nullopt;
}

// Whether the first 256 names at `names` end where the second marker says.
bool names_fit(const Run& run, std::size_t names, const Markers& markers) {
  std::size_t at = names;
  for (std::size_t i = 0; i < kTokens && at + 1 < markers.at; ++i) {
    std::size_t length = static_cast<std::uint8_t>(run.bytes[at++]);
    if ((length & 0x80) != 0)
      length = (length & 0x7f) | static_cast<std::size_t>(run.bytes[at++]) << 7;
    at += length;
  }
  return at == names + run.at<std::uint32_t>(markers.at + 4);
}

std::optional<KallsymsTables> tables_before(const Run& run, const Markers& markers) {
  std::size_t last = run.at<std::uint32_t>(markers.at + 4 * (markers.count - 1));
  std::size_t shortest = aligned(last + 2);
  std::size_t longest = aligned(last + kTokens * (kMaxName + 2));
  for (std::size_t size = shortest; size <= longest && size + 16 <= markers.at; size += 8) {
    std::size_t names = markers.at - size;
    auto count = run.at<std::uint64_t>(names - 8);
    bool fits = count > (markers.count - 1) * kTokens && count <= markers.count * kTokens;
    if (!fits || !names_fit(run, names, markers)) continue;
    if (names < 16 + aligned(4 * count)) return std::nullopt;
    KallsymsTables tables;
    tables.names = run.address + names;
    tables.num_syms = tables.names - 8;
    tables.relative_base = tables.names - 16;
    tables.offsets = *tables.relative_base - aligned(4 * count);
    return tables;
  }
  return std::nullopt;
}

}  // namespace

std::optional<KallsymsTables> scan_for_kallsyms(KernelImage& image) {
  int tries = 0;
  for (const Run& run : image.runs()) {
    for (std::size_t index = 8; index + kIndexBytes <= run.bytes.size(); index += 8) {
      if (!is_token_index(run, index)) continue;
      auto table = token_table_before(run, index);
      if (!table) continue;
      if (++tries > kMostTries) return std::nullopt;
      auto markers = markers_before(run, *table);
      auto tables = markers ? tables_before(run, *markers) : std::nullopt;
      if (!tables) continue;
      tables->token_table = run.address + *table;
      tables->token_index = run.address + index;
      return tables;
    }
  }
  return std::nullopt;
}

}  // namespace iovm::record
