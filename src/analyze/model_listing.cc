// SPDX-License-Identifier: Apache-2.0
#include "analyze/model_listing.h"

#include <algorithm>
#include <tuple>

#include "base/format.h"
#include "base/json.h"

namespace iovm::analyze {

std::string listing_text(std::vector<OperationCount> counts) {
  std::ranges::stable_sort(counts, [](const OperationCount& a, const OperationCount& b) {
    return std::tie(a.operation.device, b.count) < std::tie(b.operation.device, a.count);
  });
  std::string text;
  const model::DeviceType* device = nullptr;
  for (const OperationCount& count : counts) {
    const model::DeviceType& type = count.operation.device;
    if (device == nullptr || *device != type) {
      text += format("{} ({})\n", model::device_name(type), model::device_key(type));
    }
    device = &type;
    text += format("  {:>10}  {}\n", count.count, model::describe(count.operation));
  }
  return text;
}

std::string listing_json(const std::vector<OperationCount>& counts) {
  std::string lines;
  for (const OperationCount& count : counts) {
    JsonWriter json;
    json.begin_object().member("device", model::device_key(count.operation.device));
    json.member("operation", model::short_name(count.operation));
    json.member("words", model::describe(count.operation)).member("count", count.count);
    json.member("merged", count.operation.has(model::Mark::merged)).end_object();
    lines += json.take() + "\n";
  }
  return lines;
}

std::string places_text(model::Places rows) {
  std::ranges::stable_sort(rows, [](const model::PlaceRow& a, const model::PlaceRow& b) {
    return std::tie(a.device, b.count) < std::tie(b.device, a.count);
  });
  std::string text;
  const model::DeviceType* device = nullptr;
  for (const model::PlaceRow& row : rows) {
    if (device == nullptr || *device != row.device) {
      text += format("{} ({}) is driven from\n", model::device_name(row.device),
                     model::device_key(row.device));
    }
    device = &row.device;
    text += format("  {:>10}  {}\n", row.count, model::describe(row.place));
  }
  return text;
}

std::string places_json(const model::Places& places) {
  std::string lines;
  for (const model::PlaceRow& row : places) {
    JsonWriter json;
    json.begin_object().member("device", model::device_key(row.device));
    json.key("place").begin_object().member("class", model::name_of(row.place.code));
    json.member("offset", format("0x{:x}", row.place.offset)).end_object();
    json.member("words", model::describe(row.place)).member("count", row.count).end_object();
    lines += json.take() + "\n";
  }
  return lines;
}

}  // namespace iovm::analyze
