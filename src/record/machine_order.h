// SPDX-License-Identifier: Apache-2.0
//
// Brings the records of a foreign recording into the order of their times. A perf.data is only
// roughly ordered: perf copies one CPU's ring after the other, and marks the end of each such
// round. What lies behind the end of a round is newer than everything that was in the rings a round
// ago, so at each mark all that is not newer than the newest of the round before can go (perf's own
// rule). Memory is thus two rounds; a file without marks is held to kMost events, of which the
// older half then goes.
//
// A record that comes later than even that allows takes the time of its place, and is counted:
// downstream nothing goes back in time.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "record/kvm_decoder.h"
#include "record/read_joiner.h"
#include "trace/event.h"

namespace iovm::record {

class MachineOrder {
 public:
  static constexpr std::size_t kMost = std::size_t{1} << 20;

  explicit MachineOrder(std::size_t most = kMost) : most_(most) {}

  void add(std::int32_t tid, Decoded what, const trace::Event& event);
  void end_of_round();
  void end();

  // What is in order by now, with two-part reads joined; valid until the next call of anything.
  std::span<const trace::Event> take();

  std::uint64_t late() const { return late_; }

 private:
  struct Item {
    trace::Event event;
    std::int32_t tid;
    Decoded what;
  };
  void release(std::uint64_t until);  // what has a time of at most that

  std::size_t most_;
  std::vector<Item> items_;
  ReadJoiner joiner_;
  std::uint64_t newest_ = 0;
  std::uint64_t newest_of_last_round_ = 0;
  std::uint64_t now_ = 0;  // the time of what was released last
  std::uint64_t late_ = 0;
  bool ended_ = false;
};

}  // namespace iovm::record
