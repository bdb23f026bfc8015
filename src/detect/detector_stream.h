// SPDX-License-Identifier: Apache-2.0
//
// A stream of a recording while the Detector goes through it.
#pragma once

#include <array>
#include <memory>

#include "detect/detector.h"
#include "detect/episode.h"
#include "model/poll_fold.h"
#include "model/symbol_set.h"
#include "model/window.h"

namespace iovm::detect {

struct Detector::Stream {
  model::State state;
  model::Window window;
  std::uint64_t filled = 0;  // records since the stream began or was cut
  std::uint32_t at = 0;      // where the next one goes
  std::uint64_t events = 0;
  std::uint64_t first_event = 0;
  std::uint64_t first_time = 0;
  std::uint64_t bits = 0;    // sum
  std::uint64_t scored = 0;  // events that the method could score
  model::Bits max_window = 0;
  std::uint64_t alerts = 0;
  SessionScore session;  // once it is over
  model::SymbolSet distinct;
  model::PollFold fold;
  std::uint32_t unseen = 0;   // a bit for each of the last events
  std::uint32_t strange = 0;  // the same of those by code that training never saw there
  std::unique_ptr<Episode> episode;
  std::array<Record, model::kWindowEvents> records;

  // Of the session so far, in bits.
  double mean() const {
    return scored == 0 ? 0
                       : static_cast<double>(bits) / model::kOneBit / static_cast<double>(scored);
  }
  // The records in order, oldest first.
  template <typename F>
  void each_record(F&& f) const {
    auto count = static_cast<std::uint32_t>(std::min<std::uint64_t>(filled, model::kWindowEvents));
    for (std::uint32_t i = 0; i < count; ++i) {
      f(records[(at + model::kWindowEvents - count + i) % model::kWindowEvents]);
    }
  }
};

}  // namespace iovm::detect
