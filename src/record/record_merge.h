// SPDX-License-Identifier: Apache-2.0
//
// Rings of records (record_ring.h) as one stream in time order. It goes in rounds, as PerfMerge
// does: a round begins with one look at every ring and hands out, smallest time first, all records
// up to the time for which every ring says that it is complete; younger ones wait for the next
// round. Where perf's merge must allow for a CPU that has read the clock and not yet committed its
// record, here the ring says so (record_ring.h): the order is exact and the rounds need no margin.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "record/record_ring.h"

namespace iovm::record {

class RecordMerge {
 public:
  explicit RecordMerge(std::vector<RecordRing> rings);
  RecordMerge(RecordMerge&&) = default;
  RecordMerge& operator=(RecordMerge&&) = delete;  // its records would outlive their rings

  // The rings are complete up to the time returned. At the end, when nothing is written any more,
  // kEverything is a bound as well.
  static constexpr std::uint64_t kEverything = ~std::uint64_t{0};
  std::uint64_t begin_round(std::uint64_t now);
  // The next record of this round; nothing: the round is over, and what it consumed given back.
  // It is consumed by the following call.
  const iovm_record* next();

 private:
  struct Lane {
    std::optional<RecordRing::Record> front;
    std::uint64_t time = kEverything;
  };

  void advance(std::size_t lane);
  void choose();

  std::vector<RecordRing> rings_;
  std::vector<Lane> lanes_;
  std::uint64_t bound_ = 0;
  std::size_t chosen_ = 0;              // the lane with the smallest time
  std::uint64_t others_ = kEverything;  // the smallest time of the other lanes
  bool consume_ = false;                // the chosen lane's front was handed out
};

}  // namespace iovm::record
