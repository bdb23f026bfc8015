// SPDX-License-Identifier: Apache-2.0
#include "record/query_pci.h"

#include <optional>

#include "base/json.h"
#include "trace/format.h"

namespace iovm::record {
namespace {

using trace::PciFunction;
using trace::PciRegion;

constexpr int kMostBridges = 255;  // one behind the other
constexpr std::uint64_t kBuses = 256, kDevices = 32, kFunctions = 8;

// A number of at most `limit`; nothing where there is none or another.
std::optional<std::uint64_t> number(const JsonValue& object, std::string_view name,
                                    std::uint64_t limit) {
  auto member = object.member(name);
  auto value = member ? member->whole() : std::nullopt;
  return value && *value <= limit ? value : std::nullopt;
}

bool flag(const JsonValue& object, std::string_view name) {
  auto member = object.member(name);
  return member && member->flag().value_or(false);
}

// "address" is -1 where a BAR is nowhere.
std::optional<PciRegion> region_of(const JsonValue& json) {
  auto bar = number(json, "bar", trace::kRomRegion);
  auto size = number(json, "size", ~std::uint64_t{0});
  auto type = json.member("type") ? json.member("type")->text() : std::nullopt;
  if (!bar || !size || !type || (*type != "io" && *type != "memory")) return std::nullopt;
  PciRegion region;
  region.bar = static_cast<std::uint8_t>(*bar);
  region.memory = *type == "memory";
  region.wide = flag(json, "mem_type_64");
  region.address = number(json, "address", ~std::uint64_t{0}).value_or(0);
  region.size = *size;
  return region;
}

std::optional<PciFunction> function_of(const JsonValue& json) {
  auto bus = number(json, "bus", kBuses - 1), slot = number(json, "slot", kDevices - 1);
  auto which = number(json, "function", kFunctions - 1);
  auto id = json.member("id"), type = json.member("class_info");
  if (!bus || !slot || !which || !id) return std::nullopt;
  auto vendor = number(*id, "vendor", UINT16_MAX), device = number(*id, "device", UINT16_MAX);
  if (!vendor || !device) return std::nullopt;
  PciFunction f;
  f.place = static_cast<std::uint16_t>(*bus << 8 | *slot << 3 | *which);
  f.vendor = static_cast<std::uint16_t>(*vendor);
  f.device = static_cast<std::uint16_t>(*device);
  if (type)
    f.class_code = static_cast<std::uint16_t>(number(*type, "class", UINT16_MAX).value_or(0));
  auto regions = json.member("regions");
  for (std::size_t i = 0; regions && i < regions->size(); ++i) {
    if (f.regions.size() >= trace::kMostPciRegions) break;
    if (auto region = region_of(regions->at(i))) f.regions.push_back(*region);
  }
  return f;
}

void add_functions(const JsonValue& devices, int depth, std::vector<PciFunction>& out) {
  for (std::size_t i = 0; i < devices.size() && out.size() < trace::kMostPciFunctions; ++i) {
    JsonValue json = devices.at(i);
    auto function = function_of(json);
    if (!function) continue;
    auto bridge = json.member("pci_bridge");
    auto bus = bridge ? bridge->member("bus") : std::nullopt;
    if (bus) {
      function->secondary =
          static_cast<std::uint8_t>(number(*bus, "secondary", kBuses - 1).value_or(0));
      function->subordinate =
          static_cast<std::uint8_t>(number(*bus, "subordinate", kBuses - 1).value_or(0));
    }
    out.push_back(*std::move(function));
    auto behind = bridge ? bridge->member("devices") : std::nullopt;
    if (behind && depth < kMostBridges) add_functions(*behind, depth + 1, out);
  }
}

}  // namespace

Result<trace::PciLayout> parse_query_pci(std::string_view text, std::string_view from) {
  auto json = JsonValue::parse(text);
  if (!json) return input_error("an answer to query-pci that is no JSON");
  auto buses = json->member("return");
  if (!buses) return input_error("an answer to query-pci without a list of buses");
  trace::PciLayout layout;
  layout.from = from;
  for (std::size_t i = 0; i < buses->size(); ++i) {
    if (auto devices = buses->at(i).member("devices")) add_functions(*devices, 0, layout.functions);
  }
  if (layout.functions.empty()) return input_error("the VM has no PCI devices");
  return layout;
}

}  // namespace iovm::record
