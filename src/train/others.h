// SPDX-License-Identifier: Apache-2.0
//
// A recording held against the others: scored by a model of all but itself. What one recording
// alone shows is work that comes rarely, or an attack that happened while it was recorded; training
// cannot tell which, but it can say where to look.
//
// Counts are sums, so all but one is a subtraction. Only scores and accesses never seen are held
// against each other: amounts and places of code are the model's by their largest, not by sums.
#pragma once

#include "model/model_data.h"
#include "train/calibration.h"
#include "train/recording.h"

namespace iovm::train {

struct ByOthers {
  model::Calibration calibration;  // the recording's sample
  Calibrator::Oddest oddest;
};

// `whole`: the counts of all recordings, with no less context than options wants. Where the others
// saw nothing, or the recording's events are not kept, there is nothing to tell.
ByOthers score_by_others(const Recording& recording, const model::Ngrams& whole,
                         const model::Options& options, const model::Alphabet& alphabet);

}  // namespace iovm::train
