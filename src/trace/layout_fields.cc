// SPDX-License-Identifier: Apache-2.0
#include "trace/layout_fields.h"

#include <algorithm>
#include <span>

#include "trace/format.h"

namespace iovm::trace {
namespace {

// A region's flags, and the least bytes of a function and of a region.
constexpr std::uint8_t kMemoryRegion = 1;
constexpr std::uint8_t kWideRegion = 2;
constexpr std::size_t kFunctionBytes = 14;
constexpr std::size_t kRegionBytes = 18;

Status get_function(ArchiveReader& in, PciFunction& f) {
  f.place = in.u16();
  f.vendor = in.u16();
  f.device = in.u16();
  f.class_code = in.u16();
  f.secondary = in.u8();
  f.subordinate = in.u8();
  std::uint32_t regions = in.count(kRegionBytes);
  if (regions > kMostPciRegions) return input_error("a PCI function has more than 7 regions");
  for (std::uint32_t i = 0; i < regions; ++i) {
    PciRegion& r = f.regions.emplace_back();
    r.bar = in.u8();
    std::uint8_t flags = in.u8();
    r.memory = (flags & kMemoryRegion) != 0;
    r.wide = (flags & kWideRegion) != 0;
    r.address = in.u64();
    r.size = in.u64();
  }
  return {};
}

}  // namespace

void put_layout(ArchiveWriter& out, const PciLayout& layout) {
  std::size_t functions = std::min(layout.functions.size(), kMostPciFunctions);
  out.text(std::string_view(layout.from).substr(0, kLongestText))
      .u32(static_cast<std::uint32_t>(functions));
  for (const PciFunction& f : std::span(layout.functions).first(functions)) {
    std::size_t regions = std::min(f.regions.size(), kMostPciRegions);
    out.u16(f.place).u16(f.vendor).u16(f.device).u16(f.class_code);
    out.u8(f.secondary).u8(f.subordinate).u32(static_cast<std::uint32_t>(regions));
    for (const PciRegion& r : std::span(f.regions).first(regions)) {
      out.u8(r.bar).u8(
          static_cast<std::uint8_t>((r.memory ? kMemoryRegion : 0) | (r.wide ? kWideRegion : 0)));
      out.u64(r.address).u64(r.size);
    }
  }
}

Status get_layout(ArchiveReader& in, PciLayout& layout) {
  layout.from = in.text(kLongestText);
  std::uint32_t functions = in.count(kFunctionBytes);
  if (functions > kMostPciFunctions) return input_error("a VM has more than 1024 PCI functions");
  for (std::uint32_t i = 0; i < functions; ++i) {
    if (auto got = get_function(in, layout.functions.emplace_back()); !got) return got;
  }
  if (!in.ok()) return input_error("a VM's PCI layout is longer than its record");
  return {};
}

}  // namespace iovm::trace
