// SPDX-License-Identifier: Apache-2.0
//
// What a recording holds, counted in one pass: events by kind, VM, device and process, and how they
// lie in time. `info` prints it, and `explain` where there is no model to say what is abnormal.
// Plain data once it is taken; names in it are raw bytes that renderers escape.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "analyze/event_filter.h"
#include "model/tokenizer.h"
#include "trace/context.h"
#include "trace/event.h"

namespace iovm::analyze {

// Events counted into slices of equal length, however long the recording is: when there are too
// many slices, two become one.
class Timeline {
 public:
  static constexpr std::size_t kMaxSlices = 64;

  void add(std::uint64_t time);
  std::uint64_t start() const { return start_; }
  std::uint64_t slice_ns() const { return slice_ns_; }
  const std::vector<std::uint64_t>& slices() const { return slices_; }

 private:
  void widen();

  std::uint64_t start_ = 0;
  std::uint64_t slice_ns_ = 1'000'000;
  std::vector<std::uint64_t> slices_;
};

struct DeviceCount {
  model::Device device;
  std::uint64_t reads = 0;
  std::uint64_t writes = 0;
  std::uint64_t from_user_space = 0;
  std::uint64_t events() const { return reads + writes; }
};

struct ProcessCount {
  std::uint32_t process = 0;  // index in the Context, or trace::Unknown
  std::uint64_t events = 0;
  std::uint64_t first_time = 0;
  std::uint64_t last_time = 0;
};

struct Census {
  std::uint64_t events = 0;  // without losses
  std::array<std::uint64_t, trace::kEventKinds> kinds = {};
  trace::LossTotals lost;
  std::uint64_t first_time = 0;
  std::uint64_t last_time = 0;
  std::vector<std::uint64_t> vms;       // events, by VM index
  std::vector<DeviceCount> devices;     // most active first
  std::vector<ProcessCount> processes;  // most active first
  Timeline timeline;
};

class CensusTaker {
 public:
  // Counts what the filter lets through.
  explicit CensusTaker(const trace::TraceInfo& info, EventFilter filter = {});
  void see(const trace::Context& context, std::span<const trace::Event> events);
  // Sorted; the taker is done.
  Census finish();

 private:
  void see_event(const trace::Context& context, const trace::Event& event);
  void see_access(const trace::Event& event, const model::Token& token);
  void see_process(const trace::Event& event);

  model::Tokenizer tokenizer_;
  EventMatcher matcher_;
  std::uint64_t number_ = 0;
  Census census_;
  bool began_ = false;
  std::vector<ProcessCount> known_;            // by process index
  std::array<ProcessCount, 16> unknown_ = {};  // by reason
};

}  // namespace iovm::analyze
