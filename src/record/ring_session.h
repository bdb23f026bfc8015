// SPDX-License-Identifier: Apache-2.0
//
// A session with that in the kernel which writes iovm_records into rings: which VMs, how much ring,
// begin and end. KmodDevice (kmod_device.h) is one with iovm.ko; tests bring their own with rings
// in ordinary memory. It ends when the object goes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "iovm_abi.h"
#include "record/live.h"
#include "record/record_ring.h"
#include "trace/write_match.h"

namespace iovm::record {

class RingSession {
 public:
  struct Totals {
    std::uint64_t records = 0;
    std::uint64_t dropped = 0;  // all causes
  };

  virtual ~RingSession() = default;
  virtual Engine engine() const = 0;

  // The VM of this VMM process; no error if it is in the session already, or has ended.
  virtual Status add_vm(std::int32_t pid) = 0;
  // One whose process has ended, as far as a session must be told: what it wrote stays in the
  // rings.
  virtual void remove_vm(std::int32_t) {}
  // Those that nobody else records, whenever they start.
  virtual Status add_all_vms() = 0;
  // Where the guest keeps `current` of a vCPU, and how to read its tasks (iovm_abi.h): of a VM that
  // was added. From then on records have current_task, and tasks come as records.
  virtual Status set_slot(const iovm_slot& slot) = 0;
  virtual Status set_guest(const iovm_guest& guest) = 0;
  // The writes at which added VMs are stopped, in place of those before: of a session that can.
  virtual Status set_stops(std::span<const trace::WriteMatch>) {
    return host_error("this source cannot stop a VM");
  }
  // Once: rings of at least `slots` records; a waiting reader is woken at most `wake_ms` after a
  // record.
  virtual Result<std::vector<RecordRing>> start(std::uint32_t slots, std::uint32_t wake_ms) = 0;
  // After it nothing is written but by flush(), which puts the losses that still wait for room into
  // the rings and tells how many found none.
  virtual Status stop() = 0;
  virtual Result<unsigned> flush() = 0;
  virtual Result<Totals> totals() = 0;
  // Readable when there is something to read; woken() is the answer to that, before the rings are
  // looked at.
  virtual int fd() const = 0;
  virtual void woken() {}
};

}  // namespace iovm::record
