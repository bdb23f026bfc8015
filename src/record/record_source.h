// SPDX-License-Identifier: Apache-2.0
//
// The live engine over a session that gives iovm_records (ring_session.h: iovm.ko), of the VMs of
// this recording only: merged by time (record_merge.h), made events (ring_record.h), two-part reads
// joined (read_joiner.h). One pass from ring to Event, in the thread that calls next(). With it
// come the vCPU from the kernel itself, the guest's RIP, CR3 and CPL, and the guest's process
// (guest_attribution.h).
//
// The session wakes the reader, when a ring is a quarter full or `flush_every` after a record. Each
// lost record is known with its vCPU: the loss stands in the stream before the next event of that
// vCPU. At the end the session's counters are compared with what came out, and a difference would
// be a loss too.
//
// VMs that are asked for by name are filtered in the kernel, from the first record. While some are
// waited for (--wait), or with "all", the kernel records every VM, and those of others are left
// here: so nothing of a VM that is just starting is missed.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "record/guest_attribution.h"
#include "record/live.h"
#include "record/read_joiner.h"
#include "record/record_merge.h"
#include "record/ring_session.h"
#include "record/vm_tracker.h"

namespace iovm::record {

class RecordSource : public LiveSource {
 public:
  static Result<std::unique_ptr<RecordSource>> open(const LiveRequest& request,
                                                    std::unique_ptr<RingSession> session,
                                                    const StopFlag& stop);

  Result<Batch> next_within(std::chrono::nanoseconds patience) override;
  const trace::Context& context() const override { return context_; }
  Engine engine() const override { return session_->engine(); }
  const CaptureStats& stats() const override { return stats_; }
  Status set_stops(std::span<const trace::WriteMatch> writes) override {
    return session_->set_stops(writes);
  }
  std::size_t running() const override { return tracker_.running(); }
  std::size_t ended() const override { return tracker_.ended(); }

 private:
  RecordSource(const LiveRequest& request, std::unique_ptr<RingSession> session,
               const StopFlag& stop, VmTracker tracker);

  Status add_vms();
  void remove_ended_vms();
  void see_new_vms();
  Status start(const LiveRequest& request);
  bool wait(std::uint64_t until);
  void begin_round(std::uint64_t now);
  bool work_on_round();
  void take(const iovm_record& record);
  void take_task(const iovm_record& record);
  void take_loss(const iovm_record& record);
  void end_round();
  Status begin_end();
  Result<bool> finish();
  void add_loss(const trace::Event& loss);
  std::uint64_t in_order(std::uint64_t time);
  Batch give(std::span<const trace::Event> events, bool ended);

  std::uint64_t flush_every_;
  const StopFlag* stop_;
  VmTracker tracker_;
  std::unique_ptr<RingSession> session_;
  std::optional<RecordMerge> merge_;  // its rings are the session's
  ReadJoiner joiner_;
  trace::Context context_;
  CaptureStats stats_;
  GuestAttribution guests_;  // writes into context_, speaks to session_

  std::size_t added_ = 0;                // VMs of tracker_ that the session was given
  std::vector<std::size_t> added_live_;  // and has, by their index
  std::vector<pollfd> polls_;
  std::uint64_t last_time_ = 0;  // of the stream
  std::uint64_t reached_ = 0;    // the stream is complete up to here
  std::uint64_t round_began_ = 0;
  std::uint64_t seen_ = 0;  // records that came out of the rings
  std::uint64_t told_ = 0;  // lost, by loss records
  enum class State : std::uint8_t {
    resting,
    in_round,
    in_last_round,
    ended
  } state_ = State::resting;
};

}  // namespace iovm::record
