// SPDX-License-Identifier: Apache-2.0
//
// When a guest's task was born, on the host's clock. Tasks carry their start on the guest's boot
// clock; the resolver must know whether a task that it reads after an event was there at the event.
// The guest's timekeeper (kernel/time/timekeeping.c, struct timekeeper) says what its clock was at
// its last tick, so at host time T, reading G there, host - guest <= T - G. The least of the recent
// samples is close to the truth (a tick is 1 to 10 ms, and some sample falls just behind one) and
// is never below it, which is the safe side: a task counts as born no earlier than it was.
//
// Only the last two seconds count: pausing the VM, or setting its clock's pace, moves the offset.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "record/guest_btf.h"
#include "record/guest_kallsyms.h"
#include "record/guest_pagetable.h"

namespace iovm::record {

struct ClockLayout {
  std::uint64_t sequence = 0;  // address of its seqcount; what follows are addresses too
  std::uint64_t base = 0;
  std::uint64_t nanoseconds = 0;  // shifted left by `shift`
  std::uint64_t shift = 0;
  std::uint64_t boot_offset = 0;

  friend bool operator==(const ClockLayout&, const ClockLayout&) = default;
};

std::optional<ClockLayout> clock_layout(const Btf& btf, const Kallsyms& symbols);

// The guest's boot clock at its last tick; nothing while it is being written.
std::optional<std::uint64_t> read_boot_clock(const KernelSpace& kernel, const ClockLayout& layout);

class GuestClock {
 public:
  static constexpr std::uint64_t kMemory = 2'000'000'000;  // ns

  // At `host` at the latest, the guest's clock showed `guest`.
  void sample(std::uint64_t host, std::uint64_t guest);
  // The host time by which a guest time had surely come; nothing without a sample.
  std::optional<std::uint64_t> host_time_by(std::uint64_t guest) const;

 private:
  struct Sample {
    std::uint64_t host = 0;
    std::int64_t difference = 0;
  };
  std::deque<Sample> samples_;  // differences rise: the least is in front
};

}  // namespace iovm::record
