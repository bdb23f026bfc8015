// SPDX-License-Identifier: Apache-2.0
//
// Recordings in, a model out, in stages: tokenize and count each recording (one pass), hold the
// latest work out and calibrate on it (tokens are kept in memory for that, within a budget), then
// put all counts together. So the counts are of everything that was given, whatever was held out,
// and do not depend on the order of the recordings.
//
// Held out is the latest third of the recordings; of a single one, the latest third of its events.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/model_data.h"
#include "model/tokenizer.h"
#include "trace/source.h"
#include "train/calibration.h"
#include "train/counter.h"

namespace iovm::train {

struct Training {
  model::ModelData data;
  std::uint64_t events = 0;
  trace::LossTotals lost;
  std::uint64_t left_out = 0;  // events whose sequence found no room in the counts
};

class Trainer {
 public:
  static constexpr std::size_t kTokenBudget = std::size_t{1} << 26;

  Trainer(const model::Options& options, const model::Promise& promise)
      : options_(options), promise_(promise) {}

  // One recording, to its end.
  Status add(trace::EventSource& source);
  // The model of everything added; an input error if that was nothing.
  Result<Training> finish();

 private:
  struct Session {
    model::Origin origin;
    std::int64_t starts = 0;  // UTC, as far as known
    model::Ngrams ngrams;     // in the trainer's alphabet
    std::vector<Token> tokens;
  };

  class Pass;
  void compact();
  std::size_t held_out() const;
  model::Calibration calibrate();

  model::Options options_;
  model::Promise promise_;
  model::Alphabet alphabet_;
  std::vector<Session> sessions_;
  std::vector<model::Origin> old_origins_;
  model::Ngrams old_;  // of sessions that cannot be held out any more
  Training training_;
};

}  // namespace iovm::train
