// SPDX-License-Identifier: Apache-2.0
//
// ModelData: a model as it is kept and merged - what was counted, over which alphabet, which sets
// of symbols the sessions had, how much was done in a minute, from where in the guest's code, from
// which recordings, and what the calibration found. Model (model/model.h) is made from it for
// scoring. Canonical: the alphabet is sorted, the n-grams are
// sorted, so that the same training gives the same bytes, and merging two trainings gives the
// counts of one training on everything, bit for bit.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/code_place.h"
#include "model/model.h"
#include "model/session_sets.h"
#include "model/volume.h"

namespace iovm::model {

// A recording that the model was trained on.
struct Origin {
  std::array<std::uint8_t, 16> id = {};
  std::string source;
  std::uint64_t events = 0;
  std::uint64_t lost = 0;
  std::uint64_t first_time = 0;
  std::uint64_t last_time = 0;

  friend auto operator<=>(const Origin&, const Origin&) = default;
};

// How many false alarms the user accepts: `alarms` in each `per` (ns, events, or sessions).
struct Promise {
  enum class Unit : std::uint8_t { nanoseconds = 0, events = 1, sessions = 2 };
  double alarms = 1;
  std::uint64_t per = 86400ULL * 1000000000;
  Unit unit = Unit::nanoseconds;

  friend bool operator==(const Promise&, const Promise&) = default;
};
// "1/day", "3/hour", "1/week", "0.5/12h", "5/1M" (events), "0.1%" (of sessions).
Result<Promise> parse_promise(std::string_view text);
std::string describe(const Promise& promise);  // "1/day", "5/1000000 events"

// Held-out normal data, scored by a model that had not seen it. The sample is of blocks: the
// largest windowed score in each run of kBlockEvents events of a stream, which is how far alarms of
// one incident are apart, and the excess of each stretch of work (model/volume.h), brought to the
// same scale. So blocks above a threshold count as alarms do, of either kind.
inline constexpr std::uint32_t kWindowEvents = 32;
inline constexpr std::uint32_t kBlockEvents = 200;
inline constexpr std::size_t kMaxSample = 10000;
inline constexpr std::uint32_t kLeastUnseen = 6;
inline constexpr std::uint32_t kMostUnseen = kWindowEvents / 2;
// By how many accesses that training never saw a block had in one window, at most: how many blocks.
using UnseenCounts = std::array<std::uint64_t, kWindowEvents + 1>;
// The same of accesses by code that training never saw drive that kind of device
// (model/code_place.h): the fewest that are an alarm. Data that are too few for what was promised
// need more of them, up to half a window.
inline constexpr std::uint32_t kLeastStrange = 6;
inline constexpr std::uint32_t kMostStrange = kWindowEvents / 2;

// How the two views of a session are put on one scale: what held-out sessions had.
struct SessionScale {
  double bits_mean = 0;
  double bits_sd = 1;
  double set_mean = 0;
  double set_sd = 1;

  // The z-sum of a session's mean score, in bits, and its set's distance.
  double combine(double bits, double distance) const {
    return (bits - bits_mean) / bits_sd + (distance - set_mean) / set_sd;
  }

  friend bool operator==(const SessionScale&, const SessionScale&) = default;
};
inline constexpr std::size_t kMaxSessionSample = 65536;

struct Calibration {
  std::uint64_t events = 0;
  std::uint64_t duration_ns = 0;
  std::uint64_t sessions = 0;  // held-out recordings (or parts of one)
  std::uint64_t blocks = 0;    // in all
  UnseenCounts unseen = {};
  UnseenCounts strange = {};       // the same of accesses by code that training never saw
  std::vector<Bits> largest = {};  // of the blocks' scores, largest first; at most kMaxSample
  SessionScale scale = {};
  std::vector<double> scores = {};  // of sessions, largest first; at most kMaxSessionSample

  friend bool operator==(const Calibration&, const Calibration&) = default;
};
// The share of normal blocks that score at least `score`, the new one counted among them: never 0.
double p_value(const Calibration& calibration, Bits score);
// The same of accesses by unknown code, so many in a window.
double strange_p_value(const Calibration& calibration, std::uint32_t strange);
// The same of sessions: split-conformal. 1 where none was held out.
double session_p_value(const Calibration& calibration, double score);

struct Threshold {
  Bits value = 0;          // a windowed score above it is an alarm
  bool supported = false;  // the calibration data are enough for the promise
  Promise promise;         // what was asked for
  // So many accesses that training never saw, among the last kWindowEvents of a stream, are an
  // alarm.
  std::uint32_t unseen = kLeastUnseen;
  std::uint32_t strange = kMostStrange;  // the same of accesses by code that training never saw
  double expected = 0;  // what the data do support: at most so many alarms per promise.per (95 %)
  // A session's score above it is an alarm; of promises about sessions only.
  double session = std::numeric_limits<double>::infinity();

  friend bool operator==(const Threshold&, const Threshold&) = default;
};

struct ModelData {
  Options options;
  std::vector<Operation> alphabet;  // sorted; operation i has the symbol kFirstSymbol + i
  Ngrams ngrams;
  SessionSets sets;
  Volumes volumes;
  Places places;  // none: instruction addresses were not recorded
  // What may do I/O from user space without an alarm: "device:KEY" and "process:NAME", sorted.
  std::vector<std::string> allowed;
  std::vector<Origin> origins;  // sorted
  Calibration calibration;
  Threshold threshold;

  std::size_t symbols() const { return alphabet.size() + kFirstSymbol; }
  Model model() const { return Model(options, ngrams, symbols()); }

  friend bool operator==(const ModelData&, const ModelData&) = default;
};

// Both counts in one model. The options must be the same. Calibration and threshold are those of
// the input that was calibrated on more data: nobody can calibrate anew without the recordings.
Result<ModelData> merge(const ModelData& a, const ModelData& b);

}  // namespace iovm::model
