// SPDX-License-Identifier: Apache-2.0
//
// The guest of one VM of a recording, from its first event to its last: looks for its kernel, tells
// the source's kernel side how to read its tasks, and says of each record which process it was.
//
//   looking      a thread searches the VM's memory (guest_finder.h); events are of firmware, or of
//                a guest that is not ready. Of one that has no firmware any more, and in which
//                still nothing is found after kPatience, they are of bare address spaces: it is no
//                Linux, or none that can be read.
//   unconfirmed  a kernel was found: its slots and layout are told; believed is nothing until a
//                vCPU's own CR3 shows that this is the kernel that runs, not one left in memory
//   attached     records are resolved; now and then a CR3 is looked at again
//
// Firmware leads back to unconfirmed: a reboot begins so (and so does an SMI, after which the next
// access of the kernel confirms it again). A kernel that is gone, or that the vCPUs do not run on,
// leads back to looking.
//
// A vCPU's number is the APIC id with which its CPU began, as KVM has it, and the kernel knows the
// APIC id of each of its CPUs: so slots are told before the first access. What proves it is the
// kernel's GS base, which is where a CPU's per-CPU data are: what was read under another one is not
// believed, and the right slot told. A source that never sees a GS base (bpf on Intel) has the APIC
// ids alone.
//
// The reader's thread alone uses it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "iovm_abi.h"
#include "record/guest_finder.h"
#include "record/guest_resolver.h"
#include "record/ring_session.h"

namespace iovm::record {

class GuestVm {
 public:
  static constexpr std::uint64_t kPatience = 20'000'000'000;  // ns; a boot takes less

  GuestVm(std::uint16_t index, std::int64_t vmm, GuestProcesses& processes, RingSession& session,
          std::unique_ptr<GuestFinder> finder)
      : vmm_(vmm), session_(&session), finder_(std::move(finder)), resolver_(index, processes) {}

  // Before each batch of records.
  void refresh();
  void wait_for_first_search(std::chrono::nanoseconds patience) {
    finder_->wait_for_first_search(patience);
  }

  // A record of the guest's task, and one of an access: which process, or a trace::Unknown.
  void take_task(const iovm_task& task);
  std::uint32_t process_of(const iovm_record& record);

  // "Linux 6.1.0-56-amd64, 4 CPUs; ..." or why there is none yet; empty if nothing was tried. Safe
  // for a terminal.
  std::string describe() const;
  // How often that has become something else.
  std::uint64_t changes() const { return changes_; }

 private:
  enum class State : std::uint8_t { looking, unconfirmed, attached };
  struct Vcpu {
    std::uint64_t gs_base = 0;  // of the CPU whose slot was told; 0: none
    bool verified = false;      // a record had that GS base
    bool told = false;
    iovm_task task = {};                   // the last one; no time: none
    std::optional<std::uint32_t> process;  // its
  };

  void attach(FoundGuest found);
  void lose();
  bool is_confirmed(const GuestMoment& moment);
  std::uint32_t before_kernel(const GuestMoment& moment);
  bool is_patience_over(const GuestMoment& moment);
  void look_at_root(const GuestMoment& moment);
  void tell_guest();
  void tell_slot(std::uint16_t number, const GuestCpu* cpu);
  bool trusts(Vcpu& vcpu, const iovm_record& record);
  Vcpu& vcpu(std::uint16_t number);
  std::optional<std::uint32_t> task_of(Vcpu& vcpu, const iovm_record& record);

  std::int64_t vmm_;
  RingSession* session_;
  std::unique_ptr<GuestFinder> finder_;
  GuestResolver resolver_;
  State state_ = State::looking;
  std::vector<Vcpu> vcpus_;
  bool guest_told_ = false;
  bool sees_gs_base_ = false;      // the source does, at some accesses at least
  unsigned strangers_ = 0;         // CR3s in a row that do not map this kernel
  std::uint64_t alone_since_ = 0;  // time of the first event without firmware or kernel; 0: none
  bool by_address_space_ = false;
  std::uint64_t next_root_ = 0;   // time of the next look at a CR3
  std::uint64_t next_hurry_ = 0;  // and of the next word to the finder that the guest boots
  std::string last_why_not_;
  std::uint64_t changes_ = 0;
};

}  // namespace iovm::record
