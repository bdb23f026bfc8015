// SPDX-License-Identifier: Apache-2.0
//
// How much work a model holds for usual (model/volume.h), for people: the most that a minute of
// training had on each kind of device, by one actor and by all together, and from what amount on it
// is an alarm.
#pragma once

#include <string>
#include <vector>

#include "model/model_data.h"

namespace iovm::analyze {

struct UsualWork {
  model::StretchKind kind;
  model::Quantity quantity = model::Quantity::accesses;
  std::uint64_t usual = 0;  // in a minute
  std::uint64_t alarm = 0;  // the least that is one
};
// By device, whose, and quantity; amounts of nothing are left out.
std::vector<UsualWork> usual_work(const model::ModelData& data);

std::string work_text(const std::vector<UsualWork>& work);
std::string work_json(const std::vector<UsualWork>& work);  // one object a line

// What a minute of one model had more than twice as much of as one of the other, on devices that
// both have.
struct WorkChange {
  model::StretchKind kind;
  model::Quantity quantity = model::Quantity::accesses;
  std::uint64_t first = 0;
  std::uint64_t second = 0;
};
// The largest change first.
std::vector<WorkChange> work_changes(const model::ModelData& a, const model::ModelData& b);

// "by one process" or "by all".
std::string_view describe(model::Whose whose);

}  // namespace iovm::analyze
