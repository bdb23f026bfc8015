// SPDX-License-Identifier: Apache-2.0
#include "record/guest_pagetable.h"

#include <algorithm>

namespace iovm::record {
namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kPresent = 1;
constexpr std::uint64_t kUser = 1 << 2;
constexpr std::uint64_t kLarge = 1 << 7;  // a page at this level, not a table

bool is_canonical(std::uint64_t va, int bits) {
  auto top = static_cast<std::int64_t>(va) >> (bits - 1);
  return top == 0 || top == -1;
}

}  // namespace

std::optional<PageMapping> PageTables::walk(const GuestMemory& memory, std::uint64_t va) const {
  int levels = five_levels ? 5 : 4;
  if (!is_canonical(va, 12 + 9 * levels)) return std::nullopt;
  std::uint64_t table = root & kPageTableMask;
  bool user = true;
  for (int level = levels; level >= 1; --level) {
    int shift = 12 + 9 * (level - 1);
    auto entry = memory.value<std::uint64_t>(table + ((va >> shift) & 511) * 8);
    if (!entry || (*entry & kPresent) == 0) return std::nullopt;
    user = user && (*entry & kUser) != 0;
    bool large = (*entry & kLarge) != 0;
    if (large && level > 3) return std::nullopt;  // reserved
    if (level == 1 || large) {
      std::uint64_t size = 1ULL << shift;
      // Bit 12 of a large page's entry is its PAT bit, not an address.
      std::uint64_t base = *entry & kPageTableMask & ~(size - 1);
      return PageMapping{base | (va & (size - 1)), size, user};
    }
    table = *entry & kPageTableMask;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> KernelSpace::translate(std::uint64_t va) const {
  if (!is_kernel_address(va, tables_.five_levels)) return std::nullopt;
  std::uint64_t page = va / kPage;
  Line& line = cache_[page % kLines];
  if (line.page != page) {
    auto mapping = tables_.walk(*memory_, va);
    if (!mapping) return std::nullopt;
    line = {page, mapping->gpa & ~(kPage - 1)};
  }
  return line.gpa | (va % kPage);
}

bool KernelSpace::read(std::uint64_t va, std::span<std::byte> out) const {
  while (!out.empty()) {
    auto gpa = translate(va);
    if (!gpa) return false;
    std::size_t part = std::min<std::size_t>(out.size(), kPage - va % kPage);
    if (!memory_->read(*gpa, out.first(part))) return false;
    out = out.subspan(part);
    va += part;
  }
  return true;
}

std::optional<std::string> KernelSpace::text(std::uint64_t va, std::size_t limit) const {
  std::string text;
  while (text.size() < limit) {
    char piece[64];
    std::size_t part = std::min({sizeof(piece), limit - text.size(), kPage - va % kPage});
    if (!read(va, std::as_writable_bytes(std::span(piece).first(part)))) break;
    std::size_t end = std::string_view(piece, part).find('\0');
    text.append(piece, std::min(end, part));
    if (end != std::string_view::npos) return text;
    va += part;
  }
  if (text.empty()) return std::nullopt;
  return text;
}

}  // namespace iovm::record
