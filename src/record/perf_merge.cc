// SPDX-License-Identifier: Apache-2.0
#include "record/perf_merge.h"

#include <utility>

#include "record/perf_records.h"

namespace iovm::record {

void PerfMerge::advance(Lane& lane) {
  lane.front.reset();
  if (auto record = lane.ring->next()) {
    lane.front.emplace(std::move(*record));
    // A record too short for a time has none to wait for.
    lane.time = time_of(lane.front->type(), lane.front->body()).value_or(0);
  } else {
    lane.time = kNever;
  }
}

void PerfMerge::choose() {
  std::uint64_t smallest = kNever;
  others_ = kNever;
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    std::uint64_t time = lanes_[i].time;
    if (time < smallest) {
      others_ = std::exchange(smallest, time);
      chosen_ = i;
    } else if (time < others_) {
      others_ = time;
    }
  }
}

void PerfMerge::begin_round(std::uint64_t bound) {
  bound_ = bound;
  for (Lane& lane : lanes_) {
    lane.ring->look();
    if (!lane.front) advance(lane);
  }
  chosen_ = 0;
  choose();
}

std::optional<PerfMerge::Item> PerfMerge::next() {
  if (lanes_.empty()) return std::nullopt;
  if (std::exchange(consume_, false)) {
    advance(lanes_[chosen_]);
    if (lanes_[chosen_].time > others_ || lanes_[chosen_].time == kNever) choose();
  }
  Lane& lane = lanes_[chosen_];
  if (!lane.front || lane.time > bound_) {
    for (Lane& each : lanes_) each.ring->give_back();
    return std::nullopt;
  }
  consume_ = true;
  return Item{chosen_, lane.time, lane.front->type(), lane.front->body()};
}

}  // namespace iovm::record
