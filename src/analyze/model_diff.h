// SPDX-License-Identifier: Apache-2.0
//
// What two models do not have in common, for somebody who asks whether a driver update, a month, or
// another host of the fleet changed what is normal: options, operations, the devices' shares of the
// work, from where in the guest's code devices are driven, and what one model's work costs under
// the other. That last figure is the one that matters: the mean score of one model's accesses, each
// after its own context as training counted it, under itself and under the other. A bit or more
// between the two is another machine.
//
// Plain data and pure renderers, as everything in analyze.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analyze/usual_work.h"
#include "model/model_data.h"

namespace iovm::analyze {

struct OperationCount {
  model::Operation operation;
  std::uint64_t count = 0;
};
// How often training saw each operation, in the alphabet's order.
std::vector<OperationCount> operation_counts(const model::ModelData& data);

// A pair of facts, of the first model and the second.
template <typename T>
struct Both {
  T a = {};
  T b = {};
};

struct DeviceChange {
  model::DeviceType device;
  Both<std::uint64_t> events;
  Both<std::uint64_t> operations;  // that only one of the models has
  Both<std::uint64_t> places;      // of code, likewise
};

struct ModelDiff {
  struct OptionChange {
    std::string name;
    Both<std::string> text;
  };

  Both<std::string> paths;
  Both<std::uint64_t> events;
  Both<double> threshold;  // bits an event, over a window
  std::vector<OptionChange> options;
  std::uint64_t common = 0;               // operations that both have
  Both<std::vector<OperationCount>> own;  // those that one has alone, most frequent first
  std::uint64_t common_places = 0;        // of code, from which both saw a device driven
  Both<std::uint64_t> own_places;         // from which one alone did
  std::vector<DeviceChange> devices;      // largest change of share first
  std::vector<WorkChange> work;           // largest change first
  // Mean bits an access: of a's work and of b's, by the model itself and by the other. Of models of
  // different options nothing is said: their scores have no common scale.
  std::optional<Both<Both<double>>> cost;

  bool same() const;
};

ModelDiff compare(const model::ModelData& a, const model::ModelData& b, Both<std::string> paths);

std::string render_text(const ModelDiff& diff);
std::string render_json(const ModelDiff& diff);

}  // namespace iovm::analyze
