// SPDX-License-Identifier: Apache-2.0
#include "record/record_merge.h"

#include <algorithm>
#include <utility>

namespace iovm::record {

RecordMerge::RecordMerge(std::vector<RecordRing> rings) : rings_(std::move(rings)) {
  for (std::size_t i = 0; i < rings_.size(); ++i) lanes_.emplace_back();
}

void RecordMerge::advance(std::size_t lane) {
  Lane& at = lanes_[lane];
  at.front.reset();
  if (auto record = rings_[lane].next()) {
    at.front.emplace(std::move(*record));
    at.time = (*at.front)->time;
  } else {
    at.time = kEverything;
  }
}

void RecordMerge::choose() {
  std::uint64_t smallest = kEverything;
  others_ = kEverything;
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

std::uint64_t RecordMerge::begin_round(std::uint64_t now) {
  bound_ = now;
  for (std::size_t i = 0; i < rings_.size(); ++i) {
    std::uint64_t complete = rings_[i].look(now);
    if (now != kEverything) bound_ = std::min(bound_, complete);
    if (!lanes_[i].front) advance(i);
  }
  chosen_ = 0;
  choose();
  return bound_;
}

const iovm_record* RecordMerge::next() {
  if (lanes_.empty()) return nullptr;
  if (std::exchange(consume_, false)) {
    advance(chosen_);
    if (lanes_[chosen_].time > others_ || !lanes_[chosen_].front) choose();
  }
  Lane& lane = lanes_[chosen_];
  if (!lane.front || lane.time > bound_) {
    for (RecordRing& ring : rings_) ring.give_back();
    return nullptr;
  }
  consume_ = true;
  return &**lane.front;
}

}  // namespace iovm::record
