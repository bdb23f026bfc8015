// SPDX-License-Identifier: Apache-2.0
//
// A whole recording at one glance: for each device a lane of time with its events and, where a
// model scores them, how surprising they were; who did the I/O at which device; what was lost when;
// what the source could not tell. `explain --html` draws it.
//
// One pass, and bounded whatever the recording is: a lane has at most kMaxBuckets points (where
// time outgrows them, two become one), kFollowed devices have lanes, all further ones share one;
// the busiest streams, by process and device, have lanes beside them (analyze/stream_lanes.h).
// Plain data once it is taken; names of processes are not in it, only their numbers.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "analyze/event_filter.h"
#include "analyze/stream_lanes.h"
#include "detect/detector.h"
#include "model/tokenizer.h"
#include "trace/context.h"
#include "trace/event.h"

namespace iovm::analyze {

// A register of a device, read or written: how often.
struct RegisterUse {
  std::string text;  // "write to data FIFO (0x3f5)"
  std::uint64_t events = 0;
};

struct Lane {
  std::string device;  // in words
  model::DeviceType type;
  std::uint16_t vm = 0;
  std::uint64_t reads = 0;
  std::uint64_t writes = 0;
  std::uint64_t from_user_space = 0;
  double largest = 0;  // surprise
  std::vector<LanePoint> points;
  // Most used first. Devices of the same type share them.
  std::vector<RegisterUse> registers;
  std::uint64_t events() const { return reads + writes; }
};

struct LossPoint {
  std::uint32_t bucket = 0;
  std::uint64_t lost = 0;
};

// What one process did.
struct ProcessUse {
  struct Device {
    std::size_t lane = 0;
    std::uint64_t events = 0;
  };
  std::uint32_t process = 0;  // index in the Context, or trace::Unknown
  std::uint64_t reads = 0;
  std::uint64_t writes = 0;
  std::uint64_t from_user_space = 0;
  std::uint64_t first_time = 0;
  std::uint64_t last_time = 0;
  double largest = 0;           // surprise
  std::vector<Device> devices;  // most used first
  std::uint64_t events() const { return reads + writes; }
};

struct Overview {
  bool scored = false;  // by a model
  std::uint64_t start = 0;
  std::uint64_t end = 0;  // time of the last event
  std::uint64_t bucket_ns = 0;
  std::uint32_t buckets = 0;
  std::uint64_t events = 0;           // those that the filter lets through, without losses
  std::vector<Lane> lanes;            // the most surprising ones first, then the most active
  std::size_t more_devices = 0;       // that share the last lane
  std::vector<StreamLane> streams;    // the weightiest; a last one is of all others
  std::vector<ProcessUse> processes;  // likewise
  std::uint64_t more_processes = 0;   // left out
  std::vector<LossPoint> losses;
  trace::LossTotals lost;
  // Of how many events a thing is not known.
  std::uint64_t without_process = 0;
  std::uint64_t without_rip = 0;
  std::uint64_t without_cr3 = 0;
  std::uint64_t strings = 0;    // string operations: only the first element is recorded
  std::uint64_t doorbells = 0;  // fast MMIO: neither size nor value
};

class OverviewTaker : public detect::ScoreWatcher {
 public:
  static constexpr std::uint32_t kMaxBuckets = 15'000;  // with all lanes less than 200,000 points
  static constexpr std::size_t kFollowed = 64;
  static constexpr std::size_t kLanes = 12;  // that are shown, and one of all others
  static constexpr std::size_t kProcesses = 200;
  static constexpr std::size_t kRegisters = 6;
  static constexpr std::size_t kUses = std::size_t{1} << 16;

  // `tokenizer` is the one whose tokens come; both must outlive the taker.
  OverviewTaker(const trace::Context& context, const model::Tokenizer& tokenizer,
                EventFilter filter);

  void scored(const detect::Scored& seen) override;
  // An event that nothing scores.
  void see(const trace::Event& event, const model::Token& token);
  void lost(const trace::Event& loss);
  Overview finish();

 private:
  void count(const trace::Event& event, const model::Token& token, double surprise);
  void count_process(const trace::Event& event, std::size_t lane, bool user, double surprise);
  std::size_t lane_of(model::DeviceIndex device);
  std::uint32_t bucket_of(std::uint64_t time);
  void widen();
  void take_registers();
  void take_processes(std::span<const std::size_t> lane_places);
  std::vector<std::size_t> keep_first_lanes();

  const trace::Context& context_;
  const model::Tokenizer& tokenizer_;
  EventMatcher matcher_;
  Overview out_;
  std::uint64_t number_ = 0;
  bool began_ = false;
  StreamLanes streams_;
  std::vector<std::size_t> lanes_;                         // by device index: in out_.lanes
  std::vector<std::uint64_t> symbols_;                     // events, by symbol
  std::vector<ProcessUse> known_;                          // by process index
  std::array<ProcessUse, 16> unknown_ = {};                // by reason
  std::unordered_map<std::uint64_t, std::uint64_t> uses_;  // events, by process and lane
};

// Reads a source to its end; nothing scores it.
Result<Overview> take_overview(trace::EventSource& source, const EventFilter& filter);
// The same while a detector goes over it.
Result<Overview> take_overview(trace::EventSource& source, const EventFilter& filter,
                               detect::Detector& detector);

}  // namespace iovm::analyze
