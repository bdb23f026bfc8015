// SPDX-License-Identifier: Apache-2.0
#include "analyze/usual_work.h"

#include <algorithm>

#include "base/format.h"
#include "base/json.h"

namespace iovm::analyze {
namespace {

using model::Quantity;

constexpr double kTwice = 1;  // as model::excess counts

double change(const WorkChange& c) {
  return std::max(model::excess(c.quantity, c.first, c.second),
                  model::excess(c.quantity, c.second, c.first));
}

}  // namespace

std::string_view describe(model::Whose whose) {
  return whose == model::Whose::actor ? "by one process" : "by all";
}

std::vector<UsualWork> usual_work(const model::ModelData& data) {
  double least = model::volume_excess(
      data.threshold.value, model::unknown_price(data.options, data.ngrams, data.symbols()));
  std::vector<UsualWork> out;
  model::VolumeNorm norm(data.volumes);
  for (const auto& [kind, most] : norm.all()) {
    for (std::size_t i = 0; i < model::kQuantities; ++i) {
      auto quantity = static_cast<Quantity>(i);
      if (most[i] == 0) continue;
      out.push_back({kind, quantity, most[i], model::limit(quantity, most[i], least)});
    }
  }
  return out;
}

std::string work_text(const std::vector<UsualWork>& work) {
  std::string text;
  const model::DeviceType* device = nullptr;
  for (const UsualWork& row : work) {
    const model::DeviceType& type = row.kind.device;
    if (device == nullptr || *device != type) {
      text += format("{} ({})\n", model::device_name(type), model::device_key(type));
    }
    device = &type;
    text += format("  {:<15} {} in a minute; an alarm from {} on\n", describe(row.kind.whose),
                   model::describe(row.quantity, row.usual), row.alarm);
  }
  return text;
}

std::string work_json(const std::vector<UsualWork>& work) {
  std::string lines;
  for (const UsualWork& row : work) {
    JsonWriter json;
    json.begin_object().member("device", model::device_key(row.kind.device));
    json.member("whose", row.kind.whose == model::Whose::actor ? "process" : "all");
    json.member("quantity", model::name_of(row.quantity)).member("usual", row.usual);
    json.member("alarm", row.alarm).end_object();
    lines += json.take() + "\n";
  }
  return lines;
}

std::vector<WorkChange> work_changes(const model::ModelData& a, const model::ModelData& b) {
  std::vector<WorkChange> out;
  model::VolumeNorm first(a.volumes), second(b.volumes);
  for (const auto& [kind, most] : first.all()) {
    const model::Amounts* other = second.most(kind);
    if (other == nullptr) continue;
    for (std::size_t i = 0; i < model::kQuantities; ++i) {
      WorkChange c{kind, static_cast<Quantity>(i), most[i], (*other)[i]};
      if (change(c) > kTwice) out.push_back(c);
    }
  }
  std::ranges::stable_sort(out, std::greater<>(), change);
  return out;
}

}  // namespace iovm::analyze
