// SPDX-License-Identifier: Apache-2.0
//
// Lanes of time of the busiest streams of a recording: what one guest process did on one device.
//
// There can be any number of them, and who is busy shows late. So kFollowed have lanes at a time;
// when that is too few, the quieter half of them becomes one lane, of all others, and whoever of
// them comes back begins anew. What was ever among the busiest for long is in the end.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace iovm::analyze {

// What happened on a lane in one bucket of time.
struct LanePoint {
  std::uint32_t bucket = 0;
  std::uint32_t events = 0;
  float surprise = 0;  // the largest windowed score, in bits
};

// Adds to the last point, or a new one. A little out of order, as vCPUs can be: to the last.
void add_point(std::vector<LanePoint>& points, LanePoint point);
// Two buckets become one.
void halve(std::vector<LanePoint>& points);
// Both in order of time.
std::vector<LanePoint> joined(const std::vector<LanePoint>& a, const std::vector<LanePoint>& b);

struct StreamLane {
  std::size_t lane = 0;       // the device's among the lanes that it is taken with
  std::string device;         // in words; empty: of several
  std::uint32_t process = 0;  // index in the Context, or trace::Unknown
  bool others = false;        // of all that have no lane of their own
  std::uint64_t count = 0;
  double largest = 0;  // surprise
  std::vector<LanePoint> points;
  std::uint64_t events() const { return count; }
};

class StreamLanes {
 public:
  static constexpr std::size_t kFollowed = 256;
  static constexpr std::size_t kShown = 12;  // and one of all others

  void add(std::size_t lane, std::uint32_t process, LanePoint point);
  void halve();
  // The weightiest first, kShown of them, then one of all others if there are any.
  std::vector<StreamLane> take();

 private:
  void keep_first(std::size_t count);

  std::vector<StreamLane> streams_;
  std::unordered_map<std::uint64_t, std::size_t> places_;  // by process and lane
  StreamLane others_;
};

}  // namespace iovm::analyze
