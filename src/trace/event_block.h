// SPDX-License-Identifier: Apache-2.0
//
// The payload of an event block.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "trace/event.h"

namespace iovm::trace {

// Collects the events of one block, then makes its payload.
class EventEncoder {
 public:
  EventEncoder(int compression_level, std::uint64_t time_resolution_ns);
  ~EventEncoder();

  // As many of the events as the block has room for; the number taken.
  std::size_t add(std::span<const Event> events);
  std::size_t entries() const;
  // The payload of what was added; the encoder starts anew.
  std::vector<std::byte> finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// What indices a block's events use, for the reader to check against its tables.
struct IndexUse {
  std::uint64_t processes = 0;  // one more than the highest process index; 0: none
  std::uint32_t vms = 0;        // one more than the highest VM index other than kAllVms; 0: none
};

// Gives back the events of one payload, some at a time.
class EventDecoder {
 public:
  EventDecoder();
  ~EventDecoder();

  // Checks and unpacks a payload that must hold `entries` events; it is not needed afterwards.
  Status open(std::span<const std::byte> payload, std::size_t entries);
  IndexUse uses() const;
  // Process indices from `known` on become Unknown::not_resolved: their table is damaged.
  void forget_processes(std::uint32_t known);
  // The next events, out.size() of them or what is left; the number given.
  std::size_t decode(std::span<Event> out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace iovm::trace
