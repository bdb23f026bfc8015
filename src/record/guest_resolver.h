// SPDX-License-Identifier: Apache-2.0
//
// Which process of a guest did it. A source saw a little of the vCPU at the exit (GuestMoment); the
// resolver reads the rest from the guest's memory a moment later and answers only what it can stand
// for. By falling worth of what was seen:
//
//   process   the task's fields, read at the exit by the source's kernel side: nothing to prove
//   current   the pointer to the running task. The task_struct behind it is read later; who is
//             there now was there then if it was born before the event (memory that is used anew
//             holds a task born after the old one's last event). That is a proof, given the
//             guest's clock (guest_clock.h); without it the confidence is low.
//   cr3       the page tables. In user mode they belong to the process, if they were its own both
//             before and after the event. In kernel mode they are a hint: kernel threads and
//             interrupts run on those of whoever ran last.
//
// An event in a hardware or software interrupt is the interrupt's, where preempt_count was seen;
// one from the idle task is idle's. Kernel mode at an address that is not the kernel's is firmware,
// or a boot that begins; its confidence is low, since an exploited kernel can do the same. Without
// a kernel the answer is Unknown::guest_not_ready, or the bare address space, if the caller has
// given up waiting for one: that tells processes apart and names none.
//
// One thread uses a resolver. It looks at the clock itself around each reading of the guest: that
// somebody was there is known up to before the reading, that he had been born from after it. Costs:
// a re-read of one task_struct (some microseconds) for the first event of a task after each
// refresh(), a table look-up for all others; a walk of the task list for page tables not seen
// before, at most every kWalkEvery and for at most kWalkTime.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "record/guest_clock.h"
#include "record/guest_kernel.h"
#include "record/guest_processes.h"
#include "record/guest_roots.h"
#include "trace/event.h"

namespace iovm::record {

struct GuestMoment {
  std::uint64_t time = 0;                // of the event: ns, CLOCK_MONOTONIC of the host
  std::optional<std::uint32_t> process;  // enter()'s answer for the task read at the exit
  std::optional<std::uint64_t> current;
  std::optional<std::uint64_t> cr3;
  std::optional<std::uint64_t> rip;
  std::optional<std::uint8_t> cpl;
  std::optional<std::uint32_t> preempt_count;

  // Kernel mode at an address that no Linux kernel has.
  bool outside_kernel() const {
    return cpl.value_or(3) == 0 && rip && !is_kernel_address(*rip, true);
  }
};

class GuestResolver {
 public:
  static constexpr std::size_t kMostTasks = 65536;  // remembered

  // `vm` is the VM's index in the recording; `processes` outlives this.
  // `clock` is CLOCK_MONOTONIC, but in tests.
  using Clock = std::uint64_t (*)();
  GuestResolver(std::uint16_t vm, GuestProcesses& processes, Clock clock = monotonic_ns)
      : vm_(vm), processes_(&processes), now_(clock) {}

  // A kernel that was found, with the memory that it reads. Forgets what was known of another.
  void attach(std::unique_ptr<GuestMemory> memory, std::unique_ptr<GuestKernel> kernel);
  void detach();
  const GuestKernel* kernel() const { return kernel_.get(); }

  // Call before each batch of events; false: the kernel that was there is gone (a reboot), and
  // detach() was done. A VM that has ended keeps its kernel: its last events still come.
  bool refresh();
  // Something does not fit: the next refresh() looks whether the kernel is still there.
  void doubt() { doubtful_ = true; }

  // Both give an index in the table, or a trace::Unknown.
  std::uint32_t resolve(const GuestMoment& moment);
  // Where no kernel is found: the page tables themselves, by their root.
  std::uint32_t enter_address_space(std::uint64_t cr3);
  std::uint32_t enter(const GuestTask& task_at_exit);

 private:
  // A task as last read at its address.
  struct Known {
    GuestTask task;
    std::uint64_t first_seen = 0;    // host time after its first reading
    std::uint64_t last_seen = 0;     // host time before its last one
    std::uint32_t process_high = 0;  // its index in the table, by confidence, if already there
    std::uint32_t process_low = 0;
    bool has_high = false;
    bool has_low = false;
  };
  bool is_gone();
  std::uint32_t by_pointer(const GuestMoment& moment);
  std::uint32_t by_root(const GuestMoment& moment);
  bool born_by(const Known& known, std::uint64_t time) const;
  std::uint32_t answer(Known& known, trace::Confidence confidence);
  std::uint32_t enter(const GuestTask& task, trace::Confidence confidence, std::string_view how);
  std::uint32_t enter_nobody(std::string_view comm, trace::ProcessKind kind,
                             trace::Confidence confidence, std::string_view how);
  std::string container_of(const GuestTask& task) const;

  std::uint16_t vm_;
  GuestProcesses* processes_;
  Clock now_;
  std::unique_ptr<GuestMemory> memory_;
  std::unique_ptr<GuestKernel> kernel_;
  GuestClock clock_;
  GuestRoots roots_;
  std::unordered_map<std::uint64_t, Known> known_;  // by address
  std::uint64_t last_check_ = 0;
  std::uint64_t guest_time_ = 0;  // the latest that the guest's clock has shown
  bool doubtful_ = false;         // something does not fit the kernel that was found
  std::unordered_map<std::uint64_t, std::uint32_t> address_spaces_;  // root -> index
  std::optional<std::uint32_t> hardirq_, softirq_, firmware_;        // where they are in the table
};

}  // namespace iovm::record
