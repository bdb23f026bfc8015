// SPDX-License-Identifier: Apache-2.0
//
// How far the attempts at one rule have come, on one device (process, vCPU, VM). Place i holds the
// attempt that has done i steps and waits for step i; place 0 is always open. An access moves an
// attempt on by one place at most. An attempt gives way to one that comes after it, unless it is
// counting already.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "detect/rule.h"
#include "model/symbol.h"
#include "trace/event.h"

namespace iovm::detect {

// An access that was part of a step: the evidence.
struct Mark {
  std::uint64_t event = 0;  // its number
  std::uint64_t time = 0;
  std::uint64_t value = 0;
  std::uint64_t rip = 0;
  std::uint64_t cr3 = 0;
  std::uint64_t address = 0;
  model::Symbol symbol = 0;
  std::uint32_t process = 0;
  std::uint8_t present = 0;  // of the event
};

class Track {
 public:
  explicit Track(const Rule& rule) : places_(rule.steps.size()) {}

  // An access that patterns of the rule mean, as bits; `elements` of a string operation count each.
  // Then the marks of a whole sequence, first and last access of each step, where it was the last
  // that lacked; the track is empty again then. Valid until the next call.
  std::span<const Mark> see(const Rule& rule, std::uint32_t meant, std::uint32_t elements,
                            const Mark& mark);
  void clear();
  // Whether an attempt waits for a step after the first, or counts.
  bool waiting() const;

 private:
  struct Place {
    bool open = false;
    std::uint32_t count = 0;  // accesses of the step that it waits for
    std::uint64_t began = 0;  // time of the first access of the attempt
    std::vector<std::uint64_t>
        addresses;            // that were counted, sorted: of a step that wants different ones
    std::vector<Mark> marks;  // two a step

    void end() {
      open = false;
      count = 0;
      addresses.clear();
      marks.clear();
    }
  };

  static bool count(const RuleStep& step, Place& place, std::uint32_t elements, const Mark& mark);
  void move_on(std::size_t from);

  std::vector<Place> places_;
  std::vector<Mark> whole_;
};

// The tracks of one rule, by key; bounded, the oldest goes first.
class Tracks {
 public:
  static constexpr std::size_t kMaxTracks = 256;

  // `era` counts the losses that touched the key's VM: a track of an older one starts anew.
  Track& at(const Rule& rule, std::uint64_t key, std::uint32_t era);
  // The same if there is one.
  Track* find(std::uint64_t key, std::uint32_t era);

 private:
  struct Slot {
    std::uint64_t key = 0;
    std::uint32_t era = 0;
    Track track;
  };
  std::unordered_map<std::uint64_t, std::size_t> index_;
  std::vector<Slot> slots_;
  std::size_t oldest_ = 0;
};

}  // namespace iovm::detect
