// SPDX-License-Identifier: Apache-2.0
//
// What `iovm train` was asked for: the words as they were given (TrainOptions) and what they mean
// (Wish). What is left open there is settled by the first recording.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/command_line.h"
#include "model/model_data.h"
#include "trace/context.h"

namespace iovm::cli {

struct TrainOptions {
  std::vector<std::string> traces;
  std::string output;
  std::string method = "markov";
  std::optional<std::uint64_t> order;
  std::optional<std::string> stream;
  std::string symbols = "auto";
  std::string session = "auto";
  std::vector<std::string> allow;
  std::vector<std::string> calibrate;
  std::vector<std::string> check;
  std::string false_alarms = "1/day";
  std::vector<std::string> merge;
  std::vector<std::string> accept;
  std::optional<std::uint64_t> max_loss;
  bool json = false;
  bool quiet = false;
};

void declare(CommandLine& line, TrainOptions& options);

// What the command line says about the model; the rest is decided by the first recording.
struct Wish {
  model::Options options;
  bool stream_given = false;
  bool scheme_given = false;
  bool chooses_order = false;
  model::Promise promise;
  std::vector<std::string> allowed;  // sorted, none twice
};

Result<Wish> wish_of(const TrainOptions& options);

// Number sequences have neither devices nor registers; their streams are their lines.
void settle(Wish& wish, const trace::TraceInfo& info);

}  // namespace iovm::cli
