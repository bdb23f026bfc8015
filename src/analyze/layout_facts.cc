// SPDX-License-Identifier: Apache-2.0
#include "analyze/layout_facts.h"

#include "analyze/rows.h"
#include "base/format.h"
#include "base/text.h"
#include "model/tokenizer.h"

namespace iovm::analyze {
namespace {

std::string name_of_bar(const trace::PciRegion& region) {
  return region.bar == trace::kRomRegion ? "ROM" : format("BAR {}", region.bar);
}

std::string region_text(const trace::PciRegion& region) {
  std::string text = format("{} {}", name_of_bar(region), region.memory ? "memory" : "ports");
  std::uint64_t last = region.address + (region.size - 1);
  if (region.address == 0) return text + format(", {} bytes, not placed", region.size);
  if (region.size == 0 || last < region.address)
    return text + format(" {:#x}, {} bytes: cannot be", region.address, region.size);
  return text + format(" {:#x}-{:#x}", region.address, last);
}

model::Device device_of(const trace::PciFunction& function) {
  return {{model::Bus::pci, function.vendor, function.device}, 0, function.place};
}

std::string function_text(const trace::PciFunction& function) {
  std::string text = format("    {}", model::describe(device_of(function)));
  if (function.secondary != 0)
    text += format(", bridge to buses {:02x}-{:02x}", function.secondary, function.subordinate);
  for (std::size_t i = 0; i < function.regions.size(); ++i)
    text += (i == 0 ? ": " : "; ") + region_text(function.regions[i]);
  return text + "\n";
}

}  // namespace

std::string layouts_text(const trace::Context& context) {
  std::string text;
  for (std::size_t vm = 0; vm < context.vms.size(); ++vm) {
    const trace::PciLayout& layout = context.vms[vm].pci;
    std::string whose = context.vms.size() > 1 ? format(" of VM {}", vm) : "";
    text += rows(
        format("PCI layout{} when the recording began, by {}", whose, escape_terminal(layout.from)),
        layout.functions.size(), [&](std::size_t i) { return function_text(layout.functions[i]); });
  }
  return text;
}

void put_layout(JsonWriter& json, const trace::PciLayout& layout) {
  if (layout.from.empty()) {
    json.null();
    return;
  }
  json.begin_object().member("from", layout.from).key("functions").begin_array();
  for (const trace::PciFunction& function : layout.functions) {
    json.begin_object();
    json.member("place", model::function_text(function.place));
    json.member("vendor", unsigned{function.vendor}).member("device", unsigned{function.device});
    json.member("class", unsigned{function.class_code});
    json.member("name", model::device_name(device_of(function).type));
    json.member("secondary", unsigned{function.secondary});
    json.member("subordinate", unsigned{function.subordinate}).key("regions").begin_array();
    for (const trace::PciRegion& region : function.regions) {
      json.begin_object().member("bar", unsigned{region.bar});
      json.member("type", region.memory ? "memory" : "ports").member("wide", region.wide);
      json.member("address", region.address).member("size", region.size).end_object();
    }
    json.end_array().end_object();
  }
  json.end_array().end_object();
}

}  // namespace iovm::analyze
