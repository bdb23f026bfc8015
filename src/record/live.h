// SPDX-License-Identifier: Apache-2.0
//
// The one door to a live recording: names VMs, picks the engine, gives an EventSource. `iovm
// record` writes what comes out of it, `iovm detect --live` scores it; neither knows which engine
// it is.
//
// A live source blocks in next() until there are events, until all its VMs are gone, or until its
// StopFlag is raised; after either it drains what the kernel has and ends. stop() may be called
// from any thread and from a signal handler.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "record/vm.h"
#include "trace/source.h"
#include "trace/write_match.h"

namespace iovm::record {

// Ends a live source from elsewhere: an eventfd, so that a wait can include it.
class StopFlag {
 public:
  static Result<StopFlag> create();

  void stop() const;  // async-signal-safe
  bool stopped() const;
  int fd() const { return fd_.get(); }  // readable once stopped

 private:
  explicit StopFlag(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

enum class Engine : std::uint8_t { perf, bpf, kmod };
std::string_view name_of(Engine engine);  // "perf", "bpf", "kmod"

// What happened to the recording besides its events.
struct CaptureStats {
  std::uint64_t events = 0;  // given out, losses not counted
  trace::LossTotals lost;
  std::uint64_t late = 0;     // events that came out of a CPU later than the order could wait for;
                              // their time was raised to that of their place
  std::uint64_t foreign = 0;  // records of other VMs that were looked at and left
  std::uint64_t fired = 0;    // at the end: tracepoint hits by the kernel's own count

  void count(std::span<const trace::Event> given);  // into events and lost
};

class LiveSource : public trace::EventSource {
 public:
  struct Batch {
    std::span<const trace::Event> events;  // valid until the next call
    bool ended = false;                    // and nothing will come any more
  };
  // The next events, or none if there are none within `patience`: for callers that have something
  // to do in between (a progress line, a half-full block, a time-out).
  virtual Result<Batch> next_within(std::chrono::nanoseconds patience) = 0;
  Result<std::span<const trace::Event>> next() final;

  virtual Engine engine() const = 0;
  virtual const CaptureStats& stats() const = 0;
  // The writes at which its VMs are stopped from now on, in place of those before; from any thread,
  // one at a time. Of a source that was asked for with `stops`.
  virtual Status set_stops(std::span<const trace::WriteMatch>) {
    return host_error("this source cannot stop a VM");
  }
  // VMs of this recording that run / have ended by now.
  virtual std::size_t running() const = 0;
  virtual std::size_t ended() const = 0;
};

struct LiveRequest {
  std::vector<std::string> vms;     // each a name, UUID or pid, or "all"
  std::optional<Engine> engine;     // nothing: the best that works here
  bool stops = false;               // VMs are to be stopped in the exit (set_stops): bpf alone can
  bool wait = false;                // for VMs that are not there yet
  std::uint64_t buffer = 8U << 20;  // bytes of ring for each CPU
  // next() gives what it has at least this often while there is anything.
  std::chrono::nanoseconds flush_every = std::chrono::milliseconds(200);
  ProcRoot proc;
  std::string guest_profiles = "/var/cache/iovm";  // see guest_profile_file.h; empty: none
};

// What a live recording says of itself: a fresh id, this tool, this host and kernel, the clock.
trace::TraceInfo live_trace_info(Engine engine);

// An engine that would give more and does not work here, and why.
struct PassedOver {
  Engine engine;
  std::string why;
};

// Errors: no such VM (and --wait not asked for), a right, tracepoint or engine that is missing.
// With no engine asked for, the first of kmod, bpf and perf that works; those before it are told.
// `stop` must outlive the source.
Result<std::unique_ptr<LiveSource>> open_live(const LiveRequest& request, const StopFlag& stop,
                                              std::vector<PassedOver>* passed_over = nullptr);

}  // namespace iovm::record
