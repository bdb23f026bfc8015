// SPDX-License-Identifier: Apache-2.0
//
// What `iovm train` says about the model that it made: in words on standard error, and as JSON.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/say.h"
#include "cli/train_check.h"
#include "train/trainer.h"

namespace iovm::cli {

inline constexpr Say say{"iovm train"};

// A share of sessions that so few held-out ones cannot promise is refused: any number would be a
// lie.
Status check_promise(const model::ModelData& data);

// What became of the recordings.
struct Trained {
  struct LeftOut {
    std::string trace;
    std::string why;
  };

  train::Training training;
  std::vector<std::string> learned;  // by number
  std::vector<LeftOut> left_out;
  std::optional<Error> damage;  // of the first damaged one
};

// What may not have been normal work.
void say_warnings(const Trained& trained);
// `path`: where the model went.
void say_summary(const train::Training& training, const std::string& path);
// How the promise did; a broken one is a warning.
void say_check(const TrainCheck& check, const model::Promise& promise);
std::string summary_json(const Trained& trained, const std::optional<TrainCheck>& check);

}  // namespace iovm::cli
