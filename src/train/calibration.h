// SPDX-License-Identifier: Apache-2.0
//
// Held-out normal work, scored by a model that has not seen it: the sample by which a threshold is
// chosen (train/threshold.h). The scores of its blocks, the accesses never seen and those by code
// never seen among them, its stretches of work and its sessions (model/model_data.h).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/model_data.h"
#include "model/window.h"
#include "train/recording.h"

namespace iovm::train {

// Adds the blocks of one held-out recording to the calibration.
class Calibrator {
 public:
  // All of the earlier work alone. `unseen`, by symbol: it has no such access, whatever the value.
  Calibrator(const model::Model& model, const model::SetView& sets, std::vector<bool> unseen)
      : model_(model), sets_(sets), unseen_(std::move(unseen)) {}

  // `came_from`: of each token the number of its place, or nothing at all; `strange`, by number:
  // the earlier work has no such place.
  void session(std::span<const Token> tokens, std::span<const PlaceCounter::Number> came_from,
               const std::vector<bool>& strange, std::uint64_t duration_ns);
  // Its stretches of work, held against what the earlier work has for much.
  void work(std::span<const Work> work, const model::VolumeNorm& norm);
  // Where a window's score was the largest so far: the last symbol of it.
  struct Oddest {
    model::Bits bits = 0;
    model::Symbol symbol = model::kOverflow;  // none
  };
  const Oddest& oddest() const { return oddest_; }
  // The sample so far, in its final form.
  model::Calibration take();

 private:
  // The two views of a session.
  struct Views {
    double bits = 0;
    double distance = 0;
  };
  struct StreamBlock;  // a stream on its way through
  void end_block(StreamBlock& stream);
  void set_scale();

  const model::Model& model_;
  const model::SetView& sets_;
  std::vector<bool> unseen_;
  model::Calibration calibration_;
  std::vector<model::Bits> blocks_;
  std::vector<Views> sessions_;
  Oddest oddest_;
};

}  // namespace iovm::train
