// SPDX-License-Identifier: Apache-2.0
//
// What a Detector keeps of a stream's last events, and of an alarm that is going on. An episode
// lasts until its stream has been quiet for kBlockEvents events and for kAftermathNs: a device that
// was left broken makes its driver recover oddly for seconds, and that is the same incident. On a
// device that is hardly used, kForgottenNs is enough: what comes then is a new one.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "detect/alert.h"
#include "model/model.h"
#include "model/window.h"

namespace iovm::detect {

inline constexpr std::uint64_t kAftermathNs = 10'000'000'000;
inline constexpr std::uint64_t kForgottenNs = 60'000'000'000;

// One event of a stream, as much of it as a reason may need.
struct Record {
  std::uint64_t event = 0;
  std::uint64_t time = 0;
  std::uint64_t rip = 0;
  std::uint64_t cr3 = 0;
  model::State before;       // of the model
  model::Symbol seen = 0;    // in the tokenizer's alphabet
  model::Symbol symbol = 0;  // in the model's
  std::uint32_t process = 0;
  model::Bits bits = 0;
  bool followed = true;
  bool user = false;     // from user space, and nothing allows it
  bool strange = false;  // by code that training never saw there
  bool loud = false;     // of work that there is far too much of
};

// Who acted, by how odd it was and how often. Bounded; whoever comes too late is not counted.
template <typename Key>
class Tally {
 public:
  struct Row {
    Key key;
    std::uint64_t odd = 0;
    std::uint64_t events = 0;
  };

  void count(Key key, std::uint64_t odd) { add(key, odd, 1); }
  // Something odd that was no event of the episode.
  void weigh(Key key, std::uint64_t odd) { add(key, odd, 0); }
  // The oddest first.
  std::vector<Row> sorted() const {
    std::vector<Row> out = rows_;
    std::ranges::stable_sort(out, std::greater<>(),
                             [](const Row& r) { return std::pair(r.odd, r.events); });
    return out;
  }

 private:
  static constexpr std::size_t kMost = 64;

  void add(Key key, std::uint64_t odd, std::uint64_t events) {
    // Mostly it is the one that acted before.
    if (last_ >= rows_.size() || rows_[last_].key != key) {
      auto row = std::ranges::find(rows_, key, &Row::key);
      if (row == rows_.end()) {
        if (rows_.size() == kMost) return;
        row = rows_.insert(rows_.end(), Row{key, 0, 0});
      }
      last_ = static_cast<std::size_t>(row - rows_.begin());
    }
    rows_[last_].odd += odd;
    rows_[last_].events += events;
  }

  std::vector<Row> rows_;
  std::size_t last_ = 0;
};

struct Episode {
  Alert alert;
  model::Bits largest = 0;
  std::uint32_t quiet = 0;  // events of the stream since the last odd one
  std::uint64_t events = 0;
  Tally<std::uint32_t> processes;
  Tally<std::uint64_t> spaces;

  // An access from user space weighs more than any score.
  void count(const Record& record, model::Bits threshold) {
    std::uint64_t odd = record.bits > threshold ? record.bits : 0;
    if (record.user) odd += std::uint64_t{1} << 32;
    processes.count(record.process, odd);
    if (record.cr3 != 0) spaces.count(record.cr3, odd);
  }
  // True if an event at that time does not belong to it any more.
  bool over(std::uint64_t time) const {
    return time >= alert.last_time + (quiet >= model::kBlockEvents ? kAftermathNs : kForgottenNs);
  }
};

}  // namespace iovm::detect
