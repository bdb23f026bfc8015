// SPDX-License-Identifier: Apache-2.0
//
// What a new model's promise is worth: false alarms counted in normal recordings of their own, from
// which it has neither learned nor got its threshold, with the interval of the rate that they
// allow for.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "cli/normal_run.h"

namespace iovm::cli {

struct TrainCheck {
  std::size_t recordings = 0;
  NormalRun total;
  // False alarms in each promise.per; of sessions, their share. With its 95 % interval: Poisson's,
  // of sessions Wilson's.
  double rate = 0;
  double low = 0;
  double high = 0;
  bool broken = false;  // even the lower end is more than was promised
};

// Nothing where there is no recording to check on.
Result<std::optional<TrainCheck>> check_model(const std::vector<std::string>& traces,
                                              const model::ModelData& data);

// "checked on 2 recordings of their own (3 min 2 s): 0 false alarms, 0/day (95 %: 0 to 1750/day)"
std::string describe(const TrainCheck& check, const model::Promise& promise);
void put(JsonWriter& json, const TrainCheck& check);

}  // namespace iovm::cli
