// SPDX-License-Identifier: Apache-2.0
//
// The score that thresholds are about: how surprising a stream's last events are together. Two
// means of the events' scores, one over the last kWindowEvents, for what comes at once, and an
// exponentially weighted one that remembers kMemory times as many, for what is done little by
// little among normal work. Single symbols are rare in normal work too; a window of them is not.
// Callers add no more than the price of an unknown symbol for each event, so that no single one
// makes an alarm. Before the stream has that many, the missing ones count as no surprise at all, so
// a stream of a few events must be very odd to be an alarm.
//
// The longer a mean, the less it varies: sqrt(kMemory) times less, were scores independent. So what
// the long one has above what is usual counts that much more, and the larger of both is the score:
// one number, one threshold, one calibration. Sums are of whole numbers: exact, whatever the order
// of batches.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "model/model_data.h"

namespace iovm::model {

class Window {
 public:
  void add(Bits bits) {
    sum_ += bits;
    sum_ -= scores_[at_];
    scores_[at_] = bits;
    at_ = (at_ + 1) % kWindowEvents;
    long_ += bits - (long_ >> kLongShift);
  }
  // Of the last events alone.
  Bits mean() const { return static_cast<Bits>(sum_ / kWindowEvents); }
  Bits score() const {
    return std::max(mean(), static_cast<Bits>(long_ >> (kLongShift - kWeightShift)));
  }
  void clear() { *this = {}; }

 private:
  // A weight of 1/256 remembers 512 events as well as a plain mean does: 16 windows.
  static constexpr unsigned kLongShift = 8;
  static constexpr unsigned kWeightShift = 2;  // counts four times

  std::array<Bits, kWindowEvents> scores_ = {};
  std::uint64_t sum_ = 0;
  std::uint64_t long_ = 0;  // the mean times 256
  std::uint32_t at_ = 0;
};

}  // namespace iovm::model
