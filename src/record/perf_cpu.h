// SPDX-License-Identifier: Apache-2.0
//
// The tracepoints of one CPU, opened by perf_event_open into one ring.
//
// By CPU and not by thread: whatever runs on that CPU is seen, so a vCPU that is plugged in, a VM
// that starts and a thread that moves are in the ring from their first event, without a race of
// attaching; a switch of threads costs nothing; and it takes three descriptors a CPU in place of
// three for each thread on each CPU. The price: events of VMs that nobody asked for fire as well.
// Their known vCPU threads are kept out by a filter in the kernel (set_filter), the rest in the
// reader.
//
// Every sample is as small as it can be (TID, TIME, RAW), and the kernel wakes the reader only when
// the ring is half full: the reader comes by itself often enough. The kernel counts, for each
// event, how often it fired and how often it found the ring full; totals() is the truth against
// which the recording is checked.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "record/perf_ring.h"

namespace iovm::record {

class PerfCpu {
 public:
  // Opens the tracepoints with these ids, not yet enabled. Nothing: that CPU is not there (any
  // more).
  static Result<std::optional<PerfCpu>> open(unsigned cpu, std::span<const std::uint32_t> ids,
                                             std::size_t ring_bytes);

  // A tracepoint filter ("common_pid != 12 && ..."). The kernel takes one in an event's life.
  Status set_filter(const std::string& filter);
  Status enable();
  // When it returns, no record is on its way any more.
  void disable();

  struct Totals {
    std::uint64_t fired = 0;
    std::optional<std::uint64_t> lost;  // nothing: a kernel before 6.0 does not say
  };
  Totals totals() const;

  unsigned cpu() const { return cpu_; }
  int fd() const { return events_.front().get(); }  // readable when the ring is half full
  PerfRing& ring() { return *ring_; }
  // Whether its descriptor still tells of a full ring; not once the CPU has gone offline.
  bool awake() const { return awake_; }
  void fall_asleep() { awake_ = false; }

 private:
  PerfCpu(unsigned cpu) : cpu_(cpu) {}

  unsigned cpu_;
  bool counts_lost_ = true;
  bool awake_ = true;
  std::vector<UniqueFd> events_;
  std::unique_ptr<PerfRing> ring_;  // on the heap: records point to it
};

// The CPUs that are online, by /sys/devices/system/cpu/online.
Result<std::vector<unsigned>> online_cpus(
    const std::string& path = "/sys/devices/system/cpu/online");

// `bytes` as a ring can have them: a power of two of whole pages, at least one, at most 1 GiB.
std::size_t ring_bytes_for(std::uint64_t bytes);

// Raises the limit of open descriptors to what this process may have.
void raise_descriptor_limit();

}  // namespace iovm::record
