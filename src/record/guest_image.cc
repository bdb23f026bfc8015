// SPDX-License-Identifier: Apache-2.0
#include "record/guest_image.h"

#include <algorithm>

namespace iovm::record {
namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kPiece = 2U << 20;

}  // namespace

void KernelImage::read() {
  const PageTables& tables = space_->tables();
  std::uint64_t total = 0;
  std::uint64_t gap = 0;
  for (std::uint64_t at = text_ & ~(kPiece - 1); gap < kLargestGap && total < kMost;) {
    auto mapping = is_kernel_address(at, tables.five_levels) ? tables.walk(space_->memory(), at)
                                                             : std::nullopt;
    std::uint64_t size = mapping ? std::min(mapping->size - at % mapping->size, kPiece) : kPage;
    std::vector<std::byte> bytes(size);
    if (mapping && space_->memory().read(mapping->gpa, std::span(bytes))) {
      if (gap > 0 || runs_.empty()) runs_.push_back({at, {}});
      runs_.back().bytes.insert(runs_.back().bytes.end(), bytes.begin(), bytes.end());
      total += size;
      gap = 0;
    } else {
      gap += size;
    }
    at += size;
  }
}

const std::vector<KernelImage::Run>& KernelImage::runs() {
  if (allowed_ && !wanted_) read();
  wanted_ = true;
  return runs_;
}

bool KernelImage::spans(std::uint64_t address) {
  if (runs().empty()) return false;
  return address >= runs_.front().address &&
         address < runs_.back().address + runs_.back().bytes.size();
}

void KernelImage::find(std::string_view bytes, const Take& take) {
  for (const Run& run : runs()) {
    std::string_view all(reinterpret_cast<const char*>(run.bytes.data()), run.bytes.size());
    for (std::size_t at = all.find(bytes); at != std::string_view::npos;
         at = all.find(bytes, at + 1))
      if (take(run, at)) return;
  }
}

}  // namespace iovm::record
