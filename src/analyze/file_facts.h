// SPDX-License-Identifier: Apache-2.0
//
// What `iovm info` says about a trace or a model file, as plain data and, by pure functions, as
// text and JSON.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analyze/census.h"
#include "base/json.h"
#include "base/result.h"
#include "model/model_data.h"
#include "trace/reader.h"

namespace iovm::analyze {

struct TraceFacts {
  std::string path;
  trace::Context context;
  Census census;
  std::optional<trace::TraceSummary> file;  // what the file's blocks say; nothing for a pipe
  bool ended_early = false;
  std::vector<trace::Damage> damage;
};

struct ModelFacts {
  std::string path;
  std::uint64_t bytes = 0;  // 0: not known
  model::ModelData data;
};

// Reads the whole trace; counts what the filter lets through.
Result<TraceFacts> trace_facts(const std::string& path, const EventFilter& filter = {});

std::string render_text(const TraceFacts& facts);
std::string render_json(const TraceFacts& facts);
// The same as an object inside of another.
void put(JsonWriter& json, const TraceFacts& facts);
std::string render_text(const ModelFacts& facts);
std::string render_json(const ModelFacts& facts);

// "117004 events, 0 lost (ring 0, source 0, damaged 0)"
std::string describe_totals(std::uint64_t events, const trace::LossTotals& lost);
// "dd:153", or why it is unknown. Safe on a terminal.
std::string describe_process(const trace::Context& context, std::uint32_t process);

}  // namespace iovm::analyze
