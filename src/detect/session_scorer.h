// SPDX-License-Identifier: Apache-2.0
//
// The score of a whole session: the mean of its symbols' scores, and how far its set of symbols is
// from the nearest session of training, put together as the model's options and calibration say.
// Immutable; one serves any number of streams.
#pragma once

#include <cstdint>
#include <vector>

#include "detect/vocabulary.h"
#include "model/model_data.h"
#include "model/symbol_set.h"

namespace iovm::detect {

struct SessionScore {
  double bits = 0;      // mean score of its symbols
  double distance = 0;  // 0 to 1; of the combined view only
  double score = 0;     // what thresholds are about
  double p_value = 1;   // the share of held-out normal sessions that score as high
};

class SessionScorer {
 public:
  explicit SessionScorer(const model::ModelData& data);

  // `distinct` in the symbols of the recording's tokenizer, as `seen` has them.
  SessionScore operator()(double bits, const model::SymbolSet& distinct, Vocabulary& vocabulary,
                          const model::Alphabet& seen) const;

 private:
  const model::ModelData& data_;
  model::SetView sets_;
};

}  // namespace iovm::detect
