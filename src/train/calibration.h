// SPDX-License-Identifier: Apache-2.0
//
// From held-out normal work to a threshold with a promise. The held-out part is scored by a model
// that has not seen it; its blocks' scores (model/model_data.h) say how often a threshold would
// have raised a false alarm.
//
// What the data can support is said, not guessed: n false alarms in a time T mean, with 95 %
// confidence, a rate of at most poisson_bound(n)/T, so a promise of one a day needs three days of
// held-out work without any. With less, the threshold is set above all that was seen (the upper
// tail, drawn on exponentially) and the higher the more is missing, but never so high that a window
// of operations that training never saw would pass: that part is marked as not supported.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/model_data.h"
#include "model/window.h"

namespace iovm::train {

// What is left of an event once it is tokenized; kNoSymbol: the stream was cut here by a loss.
struct Token {
  model::StreamIndex stream = 0;
  model::Symbol symbol = 0;
};

// Adds the blocks of one held-out recording to the calibration.
class Calibrator {
 public:
  // All of the earlier work alone. `unseen`, by symbol: it has no such access, whatever the value.
  Calibrator(const model::Model& model, const model::SetView& sets, std::vector<bool> unseen)
      : model_(model), sets_(sets), unseen_(std::move(unseen)) {}

  void session(std::span<const Token> tokens, std::uint64_t duration_ns);
  // The sample so far, in its final form.
  model::Calibration take();

 private:
  // The two views of a session.
  struct Views {
    double bits = 0;
    double distance = 0;
  };
  void set_scale();

  const model::Model& model_;
  const model::SetView& sets_;
  std::vector<bool> unseen_;
  model::Calibration calibration_;
  std::vector<model::Bits> blocks_;
  std::vector<Views> sessions_;
};

// The most false alarms that n seen ones are compatible with, at 95 %.
double poisson_bound(std::uint64_t n);

// `unknown` is the model's price of a symbol that training never saw.
model::Threshold choose_threshold(const model::Calibration& calibration,
                                  const model::Promise& promise, model::Bits unknown);

// The smallest share of sessions that n held-out ones can promise.
double smallest_share(const model::Calibration& calibration);
// How much held-out work the promise needs, in its unit.
double needed(const model::Promise& promise);
// How much there is of it.
double available(const model::Calibration& calibration, const model::Promise& promise);
// False alarms in the calibration data at a threshold.
std::uint64_t alarms_at(const model::Calibration& calibration, model::Bits threshold);

}  // namespace iovm::train
