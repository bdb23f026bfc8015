// SPDX-License-Identifier: Apache-2.0
//
// Which VM and vCPU a host thread is, for a recording that goes on while VMs start, end and plug
// vCPUs: the answer for every event, so the common case is one look into a table by thread id.
//
// A thread that is not in the table has made a KVM tracepoint fire, so it is a vCPU of some VM. Its
// process is looked at once: a VM of this recording (known, or one of those that were asked for and
// not there yet), or none of ours. The vCPU number is looked up when the thread first fires, and
// again, ever less often, while /proc does not tell it (vm_threads.h); until then it is absent. If
// all vCPUs but one are known by their threads, a new thread is that one.
//
// A VM that is waited for is also looked for by itself (look_for_wanted), so that it is known
// before its first event: one that lives for less time than events lie in a ring would be gone when
// they are read. With "all", a process that made a KVM tracepoint fire and cannot be looked into
// any more was a VM even so: it is one without a name.
//
// VMs keep their index for the whole recording. The end of one is seen by its pidfd.
#pragma once

#include <poll.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "record/vm.h"
#include "trace/context.h"

namespace iovm::record {

class VmTracker {
 public:
  // `wanted` as in find_vms. With `wait` a VM that is not there yet is no error. Those that are
  // there are asked for their PCI layout, on the host's own /proc.
  static Result<VmTracker> create(ProcRoot proc, std::vector<std::string> wanted, bool wait);

  struct Place {
    bool ours = false;
    std::uint16_t vm = 0;
    std::optional<std::uint16_t> vcpu;
  };
  // `now` (ns, monotonic) only paces the second looks at what is not known.
  const Place& place(std::int32_t pid, std::int32_t tid, std::uint64_t now) {
    if (tid == last_tid_ && now < last_until_) return *last_;
    return look_up(pid, tid, now);
  }

  const std::vector<trace::VmInfo>& vms() const { return vms_; }
  std::size_t running() const { return running_; }
  std::size_t ended() const { return vms_.size() - running_; }
  // As of the last check_ends().
  bool has_ended(std::size_t vm) const;
  // Some of `wanted` has not been seen yet.
  bool waiting() const;
  // Nothing is running and nothing is waited for.
  bool finished() const { return running_ == 0 && !waiting(); }

  // Appends the descriptors whose readability is the end of a VM.
  void add_polls(std::vector<pollfd>& polls) const;
  // Notes the VMs that have ended by now.
  void check_ends();
  // Looks whether one that is waited for is there now, if it is time for that: when next_look()
  // says (ns, monotonic), never if none is waited for.
  void look_for_wanted(std::uint64_t now);
  std::uint64_t next_look() const;

  // Whether a running VM of this recording has a thread of that number now.
  bool owns(std::int32_t tid) const;

  // The threads of vCPUs of VMs that are not part of the recording, as far as they are known now;
  // none while VMs are waited for.
  Result<std::vector<std::int32_t>> foreign_threads() const;

 private:
  struct Thread {
    Place place;
    std::int32_t pid = -1;
    std::uint64_t look_again = 0;  // when, if something of it is not known; else never
    std::uint64_t pause = 0;
  };
  struct Running {
    std::int32_t pid = -1;
    std::uint16_t vm = 0;
    UniqueFd pidfd;
  };

  explicit VmTracker(ProcRoot proc, std::vector<std::string> wanted)
      : proc_(std::move(proc)), wanted_(std::move(wanted)), seen_(wanted_.size(), false) {}

  const Place& look_up(std::int32_t pid, std::int32_t tid, std::uint64_t now);
  void look_at(Thread& thread, std::int32_t tid);
  std::optional<std::uint16_t> vm_of(std::int32_t pid);
  std::optional<std::uint16_t> vcpu_of(std::int32_t pid, std::int32_t tid) const;
  std::uint16_t adopt(const Vm& vm);

  ProcRoot proc_;
  std::vector<std::string> wanted_;
  std::vector<bool> seen_;  // by wanted_
  std::vector<trace::VmInfo> vms_;
  std::vector<Running> live_;
  std::size_t running_ = 0;
  std::uint64_t next_look_ = 0;  // if one is waited for
  std::unordered_map<std::int32_t, Thread> threads_;
  // The thread of the last call: events come in bursts of one thread.
  std::int32_t last_tid_ = -1;
  std::uint64_t last_until_ = 0;
  const Place* last_ = nullptr;
};

}  // namespace iovm::record
