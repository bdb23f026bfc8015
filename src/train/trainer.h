// SPDX-License-Identifier: Apache-2.0
//
// Recordings in, a model out, in stages: tokenize and count each recording (one pass), hold the
// latest work out and calibrate on it (tokens are kept in memory for that, within a budget), then
// put all counts together. So the counts are of everything that was given, whatever was held out,
// and do not depend on the order of the recordings.
//
// Held out is the latest third of the recordings. Of a single one it is the latest third of its
// sessions where streams are processes (they come and go), else of its events.
//
// Recordings given for calibration alone are held out in their place, and nothing is learned from
// them: then what is promised is of the very model that is written.
//
// Once there is a threshold, each recording is held against all the others: which of them would be
// full of alarms had it not been learned from (train/others.h).
//
// Where no order is asked for, sequences are counted with the longest one, and it is decided at the
// end whether so many symbols support it: shorter sequences follow from longer ones.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/model_data.h"
#include "model/tokenizer.h"
#include "trace/source.h"
#include "train/calibration.h"
#include "train/others.h"
#include "train/recording.h"

namespace iovm::train {

// A recording of which the others would raise alarms: rare work, or no normal work at all.
struct Unlike {
  std::size_t recording = 0;  // its number, in the order they were added in
  std::uint64_t alarms = 0;   // stretches that would be one
  model::Bits largest = 0;    // score of a window
  model::DeviceType device;   // there; empty where devices have no names
};

struct Training {
  model::ModelData data;
  std::uint64_t events = 0;
  std::uint64_t held_out = 0;  // events of recordings for calibration alone
  trace::LossTotals lost;
  std::uint64_t left_out = 0;    // events whose sequence found no room in the counts
  std::size_t without_code = 0;  // recordings without instruction addresses, of `recordings`
  std::size_t recordings = 0;
  std::vector<Unlike> unlike;
};

class Trainer {
 public:
  static constexpr std::size_t kTokenBudget = std::size_t{1} << 26;

  Trainer(const model::Options& options, const model::Promise& promise)
      : options_(options), promise_(promise) {}
  // The order by the number of symbols (markov only): options.order is the one for few.
  void choose_order() { chooses_ = options_.method == model::Method::markov; }

  enum class Use : std::uint8_t { learn, calibrate };
  // Asked when a recording has been read: whether anything is to be made of it.
  using Verdict = std::function<bool()>;
  // One recording, to its end.
  Status add(trace::EventSource& source, Use use = Use::learn, const Verdict& may_learn = {});
  // The model of everything added; an input error if that was nothing.
  Result<Training> finish();

 private:
  // The earlier work, counted, and the later, to be scored with it.
  struct Split {
    model::Ngrams ngrams;
    model::SessionSets sets;
    model::Volumes volumes;
    model::Places places;
    struct Part {
      std::vector<Token> own;  // of a part of a recording
      std::vector<PlaceCounter::Number> own_from;
      std::span<const Token> tokens;
      std::span<const PlaceCounter::Number> came_from;
      std::span<const model::PlaceRow> numbered;
      std::vector<Work> work;
      std::uint64_t duration_ns = 0;
    };
    std::vector<Part> held;
  };

  void compact();
  std::size_t held_out() const;
  Split split_recordings() const;
  Split split_one() const;
  model::Calibration calibrate();
  std::vector<ByOthers> by_others(const model::Ngrams& whole) const;
  void tell_unlike(const std::vector<ByOthers>& by_others);
  void sort_alphabet();
  std::uint32_t counted() const;  // symbols of context while counting

  model::Options options_;
  model::Promise promise_;
  model::Alphabet alphabet_;
  std::vector<Recording> recordings_;
  std::vector<Recording> held_;  // of calibration alone
  std::vector<model::Origin> old_origins_;
  model::Ngrams old_;  // of recordings that cannot be held out any more
  model::SessionSets old_sets_;
  model::Volumes old_volumes_;
  model::Places old_places_;
  bool chooses_ = false;
  Training training_;
};

}  // namespace iovm::train
