// SPDX-License-Identifier: Apache-2.0
//
// Waiting is one thing, however long it takes: a driver that polls a status register reads it five
// times or five million times, by how fast the device is that day. So of a run of one and the same
// read only the first kKept count, in training and in detection alike; the rest neither drowns the
// counts nor makes a sequence of its own. Writes always count: a flood of them is an attack.
#pragma once

#include <cstdint>

#include "model/ngrams.h"

namespace iovm::model {

class PollFold {
 public:
  static constexpr std::uint32_t kKept = 3;

  // True if this symbol of the stream goes on with a run that was long enough. The caller asks
  // whether it is a read.
  bool repeats(Symbol symbol) {
    if (symbol != last_) {
      last_ = symbol;
      run_ = 1;
      return false;
    }
    return ++run_ > kKept;
  }
  void clear() { *this = {}; }

 private:
  Symbol last_ = kNoSymbol;
  std::uint32_t run_ = 0;
};

// What is folded: reads of devices. Numbers of a sequence are no polls.
inline bool can_poll(const Operation& operation) {
  return operation.direction == trace::Direction::read && operation.size != 0;
}

}  // namespace iovm::model
