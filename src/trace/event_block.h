// SPDX-License-Identifier: Apache-2.0
//
// The payload of an event block, as columns (docs/trace-format.md, "Event blocks"). Most of a
// guest's I/O is a few hundred operations over and over: everything of an event but its time and
// value is an *op*, kept once in the block's dictionary; an event is then an op number, a time and,
// where it is not always the same for that op, a value. Values stand op by op, so that the numbers
// which a driver counts up are neighbours. A time is the distance from the one before, cut into a
// symbol (its magnitude, which zstd's entropy coder likes) and plain low bits, which nothing can
// compress. src/trace/time_code.h has the rest of that story.
//
// Declined: a column per field without the dictionary (decoding stores 64 bytes an event either
// way, and one copy of a template is the fastest way to do it); contexts per op for the time
// symbols (0.01 bytes an event on recordings of real guests); an own entropy coder (zstd's is as
// fast as the rest of the loop).
//
// Neither class is safe for two threads at once; both keep their memory from block to block.
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
  // Times are rounded down to multiples of the resolution.
  EventEncoder(int compression_level, std::uint64_t time_resolution_ns);
  ~EventEncoder();

  // As many of the events as the block has room for; the number taken.
  std::size_t add(std::span<const Event> events);
  std::size_t entries() const;
  // The payload of what was added, valid until the next call; the encoder starts anew.
  std::span<const std::byte> finish();

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

  // Checks and unpacks a payload that must hold `entries` events; it is not needed afterwards. What
  // passes decodes: every number in it is within its limits, every length fits.
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
