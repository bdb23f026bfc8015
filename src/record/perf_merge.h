// SPDX-License-Identifier: Apache-2.0
//
// Many rings, one stream in time order. Every CPU has its own ring, in itself in order; the events
// of one VM are spread over them as its vCPUs move.
//
// It goes in rounds. A round has a bound: a time so far back that every record of it or before is
// in its ring by now. A round begins with one look at every head and hands out, smallest time
// first, all records up to the bound; younger ones wait in their rings for the next round. The
// bound is the moment before the look, minus a margin for a CPU that has read the clock for a
// record and not yet committed it (microseconds, unless the host itself is a VM that lost its CPU
// just then). perf bounds a round by the last time of the round before; that leans on the same
// margin unspoken, and ties latency to the rate. A record that comes later even so is handed out
// late, never dropped.
//
// Cost: while one ring goes on having the smallest time, one comparison a record; a change of ring
// costs one pass over the rings.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "record/perf_ring.h"

namespace iovm::record {

class PerfMerge {
 public:
  struct Item {
    std::size_t lane = 0;  // in the order of add()
    std::uint64_t time = 0;
    std::uint32_t type = 0;
    std::span<const std::byte> body;
  };

  // The ring must outlive the merge and stay where it is.
  void add(PerfRing& ring) { lanes_.push_back({&ring, std::nullopt, 0}); }

  void begin_round(std::uint64_t bound);
  // The next record of this round; nothing: the round is over, and what it consumed given back.
  // It is consumed by the following call.
  std::optional<Item> next();

 private:
  struct Lane {
    PerfRing* ring;
    std::optional<PerfRing::Record> front;
    std::uint64_t time;
  };
  static constexpr std::uint64_t kNever = ~std::uint64_t{0};

  void advance(Lane& lane);
  void choose();

  std::vector<Lane> lanes_;
  std::uint64_t bound_ = 0;
  std::size_t chosen_ = 0;         // the lane with the smallest time
  std::uint64_t others_ = kNever;  // the smallest time of the other lanes
  bool consume_ = false;           // the chosen lane's front was handed out
};

}  // namespace iovm::record
