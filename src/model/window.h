// SPDX-License-Identifier: Apache-2.0
//
// The score that thresholds are about: the mean over a stream's last kWindowEvents scores. Single
// symbols are rare in normal work too; a whole window of them is not. Callers add no more than the
// price of an unknown symbol for each event, so that no single one makes an alarm. Before the
// stream has that many, the missing ones count as no surprise at all, so a stream of a few events
// must be very odd to be an alarm. Sums are of whole numbers: exact, whatever the order of batches.
#pragma once

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
  }
  Bits mean() const { return static_cast<Bits>(sum_ / kWindowEvents); }
  void clear() { *this = {}; }

 private:
  std::array<Bits, kWindowEvents> scores_ = {};
  std::uint64_t sum_ = 0;
  std::uint32_t at_ = 0;
};

}  // namespace iovm::model
