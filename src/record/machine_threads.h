// SPDX-License-Identifier: Apache-2.0
//
// Whose I/O a thread of a foreign recording did. There is no /proc to ask: a recording knows
// process and thread ids and, mostly, comms. So a VM is a process that has threads doing KVM I/O,
// called by its comm; a vCPU is known by its thread's comm ("CPU 2/KVM"), or else, where none of a
// process's threads has such a comm, by the rank of its tid among those that did I/O: VMMs start
// their vCPU threads in order. A rank needs the whole recording to have been seen once before;
// where it cannot be (a pipe), it is the order of first appearance.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "trace/context.h"

namespace iovm::record {

class MachineThreads {
 public:
  // What the recording tells of threads, in its order.
  void comm(std::int32_t tid, std::string_view name);

  // The first pass: this thread did KVM I/O.
  void note_io(std::int32_t pid, std::int32_t tid);
  // All is told: ranks are now those of tids. The last comm of each thread stays.
  void end_first_pass();

  struct Place {
    std::uint16_t vm = 0;
    std::optional<std::uint16_t> vcpu;
  };
  // Where an event of that thread belongs; a new VM is added to the context. Nothing: there are
  // more VMs than a trace can hold.
  std::optional<Place> place(std::int32_t pid, std::int32_t tid, trace::Context& context);

  // After the first pass: whether some vCPU numbers will be ranks and no facts.
  bool needs_ranks() const;

 private:
  struct Process {
    std::map<std::int32_t, std::uint16_t> ranked;  // tid -> rank; those that did I/O
    bool named = false;                            // a thread that did I/O has a vCPU's comm
    std::optional<std::uint16_t> vm;
  };
  std::optional<std::uint16_t> vm_of(Process& process, std::int32_t pid, trace::Context& context);
  std::optional<std::uint16_t> vcpu_of(Process& process, std::int32_t tid);
  std::string_view comm_of(std::int32_t tid) const;

  std::unordered_map<std::int32_t, std::string> comms_;  // by tid
  std::unordered_map<std::int32_t, Process> processes_;
  std::unordered_map<std::int32_t, Place> places_;  // by tid: the answers already given
  bool first_pass_done_ = false;
};

}  // namespace iovm::record
