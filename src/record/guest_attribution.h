// SPDX-License-Identifier: Apache-2.0
//
// Guest processes for a live source, all that it needs to know of them: it gives every record of
// its VMs and gets the process that did it. Per VM there is a guest (guest_vm.h), whose kernel is
// looked for by a thread of its own; nothing here waits for that, but who opens a recording may, a
// short while, so that the first event has its process too.
//
// The processes go into the recording's table, which only grows. What was found of each guest, and
// what changed, stands in the recording's notes.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "iovm_abi.h"
#include "record/guest_processes.h"
#include "record/guest_vm.h"
#include "record/ring_session.h"
#include "trace/context.h"

namespace iovm::record {

class GuestAttribution {
 public:
  // `context` is the recording's, whose processes and notes it writes; both outlive this. Profiles
  // of guests are kept in `profiles`; empty: nowhere.
  GuestAttribution(std::string proc_root, std::string profiles, trace::Context& context,
                   RingSession& session)
      : proc_root_(std::move(proc_root)),
        profiles_(std::move(profiles)),
        context_(&context),
        session_(&session),
        processes_(context.processes) {}

  // The recording's VMs, whose indices these are; new ones are looked at from now on.
  void see_vms(const std::vector<trace::VmInfo>& vms);
  // Until every guest has been looked for once, but not longer than that.
  void wait_for_first_search(std::chrono::nanoseconds patience);
  // Before each batch of records.
  void refresh();

  void take_task(std::uint16_t vm, const iovm_task& task);
  // For Event::process.
  std::uint32_t process_of(std::uint16_t vm, const iovm_record& record);

 private:
  static constexpr std::uint64_t kMostNotes = 16;  // of a VM: a guest can reboot for ever
  struct Entry {
    std::unique_ptr<GuestVm> guest;
    std::string name;
    std::uint64_t notes = 0;
    std::uint64_t changes = 0;  // of the guest, at its last note
  };
  void note(Entry& entry);

  std::string proc_root_;
  std::string profiles_;
  trace::Context* context_;
  RingSession* session_;
  GuestProcesses processes_;
  std::vector<Entry> guests_;  // by VM index
};

}  // namespace iovm::record
