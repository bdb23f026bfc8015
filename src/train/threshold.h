// SPDX-License-Identifier: Apache-2.0
//
// From a calibration (train/calibration.h) to a threshold with a promise: its blocks say how often
// a threshold would have raised a false alarm.
//
// What the data can support is said, not guessed: n false alarms in a time T mean, with 95 %
// confidence, a rate of at most poisson_bound(n)/T, so a promise of one a day needs three days of
// held-out work without any. With less, the threshold is set above all that was seen (the upper
// tail, drawn on exponentially) and the higher the more is missing, but never so high that a window
// of operations that training never saw would pass: that part is marked as not supported.
//
// Accesses that training never saw have an alarm of their own, and up to half of what is promised
// for it: how many of them it takes is counted in the same blocks. So do accesses by code that
// training never saw, with half of what is left.
#pragma once

#include <cstdint>

#include "model/model_data.h"

namespace iovm::train {

// `unknown` is the model's price of a symbol that training never saw.
model::Threshold choose_threshold(const model::Calibration& calibration,
                                  const model::Promise& promise, model::Bits unknown);

// The smallest share of sessions that n held-out ones can promise.
double smallest_share(const model::Calibration& calibration);
// How much held-out work the promise needs, in its unit.
double needed(const model::Promise& promise);
// How much there is of it.
double available(const model::Calibration& calibration, const model::Promise& promise);
// False alarms in the calibration data at a threshold: by scores, by accesses never seen, and by
// code never seen.
std::uint64_t alarms_at(const model::Calibration& calibration, const model::Threshold& threshold);

}  // namespace iovm::train
