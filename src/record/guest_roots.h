// SPDX-License-Identifier: Apache-2.0
//
// Page table root -> process, for sources that see CR3 and no pointer to the task. Made by a walk
// of the task list, anew when a root is asked for that it does not have, at most every kWalkEvery.
// An entry remembers when the process was first and last seen with that root, without a gap: only
// between the two is it certain (roots are used again after an exit or an exec).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <unordered_map>

#include "record/guest_kernel.h"

namespace iovm::record {

class GuestRoots {
 public:
  static constexpr std::uint64_t kWalkEvery = 100'000'000;  // ns
  static constexpr std::chrono::milliseconds kWalkTime{40};

  struct Owner {
    GuestTask leader;              // of the one thread group that has it
    bool threaded = false;         // more than one thread, or not all of them were seen
    bool shared = false;           // more than one thread group: which one it was is not known
    std::uint64_t first_seen = 0;  // host time after the first walk that saw it
    std::uint64_t last_seen = 0;   // host time before the last one
    std::optional<std::uint32_t> surely, in_user_mode, in_kernel_mode;  // the caller's, to remember
  };

  // `cr3` as the CPU held it; null: nobody's. `time`: of the event; a walk is made if what is known
  // is older than that and the last walk is long enough ago. Valid until the next call.
  using Clock = std::uint64_t (*)();
  Owner* find(const GuestKernel& kernel, std::uint64_t cr3, std::uint64_t time, Clock now);
  void clear() { *this = GuestRoots(); }

 private:
  void walk(const GuestKernel& kernel, Clock now);
  Owner* lookup(const GuestKernel& kernel, std::uint64_t cr3);

  std::unordered_map<std::uint64_t, Owner> owners_;
  std::unordered_map<std::uint64_t, bool> user_roots_;  // whether it belongs to the one before it
  std::uint64_t last_walk_ = 0;
};

}  // namespace iovm::record
