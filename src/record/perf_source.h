// SPDX-License-Identifier: Apache-2.0
//
// The live engine that works on every kernel with perf events: KVM's tracepoints by
// perf_event_open, one ring a CPU (perf_cpu.h), merged by time (perf_merge.h), decoded
// (kvm_decoder.h), attributed to VM and vCPU (vm_tracker.h), two-part reads joined (read_joiner.h).
// One pass from ring to Event, in the thread that calls next().
//
// Asynchronous by the rings: a vCPU appends its record and goes on; a reader that is held up (a
// slow disk) has the length of the ring, with 8 MiB more than a second of the fastest guest. There
// is no second thread and no queue behind the rings: they would cost a copy of each event and be
// one more thing that can overflow. The reader sleeps in poll() until a ring is half full or
// `flush_every` has passed, so rounds are few and long.
//
// Nothing is missing without being counted. A full ring says so by a LOST record, or, if no record
// follows there, by the kernel's count (perf_losses.h); both become a loss event where the gap is.
// At the end the kernel's own counts (how often each tracepoint fired, how often it found the ring
// full) are compared with what came out; a difference is a loss too. A CPU that comes online while
// recording had nobody watching it at first: a loss of unknown size.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "record/kvm_decoder.h"
#include "record/live.h"
#include "record/perf_cpu.h"
#include "record/perf_losses.h"
#include "record/perf_merge.h"
#include "record/read_joiner.h"
#include "record/tracefs.h"
#include "record/vm_tracker.h"

namespace iovm::record {

class PerfSource : public LiveSource {
 public:
  static Result<std::unique_ptr<PerfSource>> open(const LiveRequest& request,
                                                  const Tracefs& tracefs, const StopFlag& stop);

  Result<Batch> next_within(std::chrono::nanoseconds patience) override;
  const trace::Context& context() const override { return context_; }
  Engine engine() const override { return Engine::perf; }
  const CaptureStats& stats() const override { return stats_; }
  std::size_t running() const override { return tracker_.running(); }
  std::size_t ended() const override { return tracker_.ended(); }

 private:
  PerfSource(const LiveRequest& request, const StopFlag& stop, KvmDecoder decoder,
             VmTracker tracker);

  Status open_rings();
  Result<bool> add_cpu(unsigned cpu);
  Status keep_others_out();

  void wait(std::uint64_t until);
  void begin_round(std::uint64_t bound);
  bool work_on_round();
  void note_losses();
  void take_lost(const PerfMerge::Item& item);
  void take_sample(const PerfMerge::Item& item);
  void end_round();
  void watch_host(std::uint64_t now);
  void watch_filtered(std::uint64_t time);
  void begin_end();
  void finish();
  void add_loss(std::uint64_t time, trace::Loss loss);
  std::uint64_t in_order(std::uint64_t time);
  Batch give(std::span<const trace::Event> events, bool ended);

  std::size_t ring_bytes_;
  std::uint64_t flush_every_;
  const StopFlag* stop_;
  KvmDecoder decoder_;
  std::vector<std::uint32_t> ids_;
  VmTracker tracker_;
  PerfMerge merge_;
  ReadJoiner joiner_;
  trace::Context context_;
  CaptureStats stats_;

  std::vector<std::unique_ptr<PerfCpu>> cpus_;  // their rings are lanes of merge_, in this order
  std::vector<PerfLosses> losses_;              // by cpus_
  std::vector<unsigned> online_;
  std::vector<std::int32_t> filtered_;  // threads whose records the kernel keeps out
  std::vector<pollfd> polls_;
  std::uint64_t last_time_ = 0;  // of the stream
  std::uint64_t reached_ = 0;    // the stream is complete up to here
  std::uint64_t bound_ = 0;      // of the round
  std::uint64_t round_began_ = 0;
  std::uint64_t host_checked_ = 0;
  std::uint64_t seen_ = 0;  // samples that came out of the rings
  enum class State : std::uint8_t {
    resting,
    in_round,
    in_last_round,
    ended
  } state_ = State::resting;
};

}  // namespace iovm::record
