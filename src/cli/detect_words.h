// SPDX-License-Identifier: Apache-2.0
//
// What `iovm detect` was asked for: the words as they were given, and which of them go together.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/command_line.h"

namespace iovm::cli {

struct DetectOptions {
  std::optional<std::string> model;
  std::vector<std::string> rules;
  bool no_built_in_rules = false;
  bool stops = false;
  std::vector<std::string> on_alert;
  std::optional<std::chrono::nanoseconds> flight_recorder;
  std::vector<std::string> traces;
  bool live = false;
  std::vector<std::string> vms;
  std::string source = "auto";
  bool wait = false;
  std::uint64_t buffer = 8U << 20;
  bool json = false;
  bool scores = false;
  bool exit_code = false;
  std::optional<std::uint64_t> max_loss;
  std::optional<std::uint64_t> threads;
  bool quiet = false;
};

void declare(CommandLine& line, DetectOptions& options);
Status check_words(const DetectOptions& options);

}  // namespace iovm::cli
