// SPDX-License-Identifier: Apache-2.0
#include "analyze/stream_lanes.h"

#include <algorithm>
#include <iterator>
#include <tuple>

namespace iovm::analyze {
namespace {

std::uint64_t key_of(std::size_t lane, std::uint32_t process) {
  return std::uint64_t{process} << 32 | lane;
}

}  // namespace

void add_point(std::vector<LanePoint>& points, LanePoint point) {
  if (points.empty() || points.back().bucket < point.bucket) {
    points.push_back(point);
    return;
  }
  points.back().events += point.events;
  points.back().surprise = std::max(points.back().surprise, point.surprise);
}

void halve(std::vector<LanePoint>& points) {
  std::vector<LanePoint> wide;
  for (LanePoint point : points) {
    point.bucket /= 2;
    add_point(wide, point);
  }
  points = std::move(wide);
}

std::vector<LanePoint> joined(const std::vector<LanePoint>& a, const std::vector<LanePoint>& b) {
  std::vector<LanePoint> all;
  std::vector<LanePoint> out;
  std::ranges::merge(a, b, std::back_inserter(all), {}, &LanePoint::bucket, &LanePoint::bucket);
  for (const LanePoint& point : all) add_point(out, point);
  return out;
}

void StreamLanes::add(std::size_t lane, std::uint32_t process, LanePoint point) {
  auto found = places_.find(key_of(lane, process));
  if (found == places_.end()) {
    if (streams_.size() == kFollowed) keep_first(kFollowed / 2);
    found = places_.emplace(key_of(lane, process), streams_.size()).first;
    streams_.push_back({lane, {}, process, false, 0, 0, {}});
  }
  StreamLane& stream = streams_[found->second];
  stream.count += point.events;
  stream.largest = std::max(stream.largest, static_cast<double>(point.surprise));
  add_point(stream.points, point);
}

void StreamLanes::halve() {
  for (StreamLane& stream : streams_) analyze::halve(stream.points);
  analyze::halve(others_.points);
}

void StreamLanes::keep_first(std::size_t count) {
  std::ranges::stable_sort(streams_, [](const StreamLane& a, const StreamLane& b) {
    return std::tuple(a.largest, a.count) > std::tuple(b.largest, b.count);
  });
  for (std::size_t i = count; i < streams_.size(); ++i) {
    others_.others = true;
    others_.count += streams_[i].count;
    others_.largest = std::max(others_.largest, streams_[i].largest);
    others_.points = joined(others_.points, streams_[i].points);
  }
  streams_.resize(std::min(count, streams_.size()));
  places_.clear();
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    places_.emplace(key_of(streams_[i].lane, streams_[i].process), i);
  }
}

std::vector<StreamLane> StreamLanes::take() {
  keep_first(kShown);
  if (others_.others) streams_.push_back(std::move(others_));
  return std::move(streams_);
}

}  // namespace iovm::analyze
