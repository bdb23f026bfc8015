// SPDX-License-Identifier: Apache-2.0
//
// What the records of a perf.data mean: samples of KVM's tracepoints become events of a VM and a
// vCPU, lost ones become losses in their place, comms name threads. In comes the stream of records,
// once for a look ahead and once for good; out go events into a MachineOrder.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "record/kvm_decoder.h"
#include "record/machine_order.h"
#include "record/machine_threads.h"
#include "record/perf_data_head.h"
#include "record/perf_data_records.h"
#include "trace/context.h"

namespace iovm::record::perf {

class EventMaker {
 public:
  // Both are the caller's and outlive this; the head may still grow (a pipe's does).
  EventMaker(const Head& head, trace::Context& context) : head_(head), context_(context) {}

  // Takes the head's formats, those that are new to it.
  Status learn_formats();
  // Whether there are any of KVM's I/O.
  bool knows_formats() const { return !ids_.empty(); }
  bool is_kvm(const Attr& attr) const;

  // The first pass: which threads do I/O.
  void look_at(const Record& record);
  // The end of the first pass; whether vCPU numbers will be ranks of thread ids.
  bool end_first_pass();

  // The second: samples, losses, comms and ends of rounds; others are left.
  void take(const Record& record);
  // The end; `damaged`: the records end before the recording did.
  void end(bool damaged);

  MachineOrder& order() { return order_; }

 private:
  void take_sample(const Record& record);
  void take_lost(const Record& record);
  void take_lost_samples(const Record& record);
  void take_comm(const Record& record);
  void lose(std::uint64_t time, trace::Loss loss,
            std::optional<MachineThreads::Place> place = std::nullopt);

  const Head& head_;
  trace::Context& context_;
  KvmDecoder decoder_;
  std::vector<std::uint32_t> ids_;  // of KVM's I/O tracepoints
  std::size_t formats_learned_ = 0;
  MachineThreads threads_;
  MachineOrder order_;
  std::uint64_t last_time_ = 0;
  std::uint64_t lost_told_ = 0;   // by LOST records, each in its place
  std::uint64_t lost_total_ = 0;  // by the counters that perf writes at the end
};

}  // namespace iovm::record::perf
