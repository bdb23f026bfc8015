// SPDX-License-Identifier: Apache-2.0
#include "record/guest_attribution.h"

#include <sys/types.h>

#include "base/clock.h"
#include "base/format.h"
#include "record/guest_profile_file.h"

namespace iovm::record {

void GuestAttribution::see_vms(const std::vector<trace::VmInfo>& vms) {
  for (std::size_t i = guests_.size(); i < vms.size(); ++i) {
    const trace::VmInfo& vm = vms[i];
    std::string profile = profiles_.empty() ? "" : profile_path(profiles_, proc_root_, vm);
    auto finder = std::make_unique<GuestFinder>(
        [root = proc_root_, pid = static_cast<pid_t>(vm.pid), memory = vm.memory,
         profile = std::move(profile)](const SearchLimits& limits) {
          return find_guest_and_keep(root, pid, memory, profile, limits);
        });
    std::string name = vm.name.empty() ? format("pid {}", vm.pid) : vm.name;
    guests_.push_back({std::make_unique<GuestVm>(static_cast<std::uint16_t>(i), vm.pid, processes_,
                                                 *session_, std::move(finder)),
                       std::move(name),
                       {},
                       0});
  }
}

void GuestAttribution::wait_for_first_search(std::chrono::nanoseconds patience) {
  std::uint64_t give_up = monotonic_ns() + static_cast<std::uint64_t>(patience.count());
  for (Entry& entry : guests_) {
    std::uint64_t now = monotonic_ns();
    if (now >= give_up) break;
    entry.guest->wait_for_first_search(std::chrono::nanoseconds(give_up - now));
  }
}

void GuestAttribution::refresh() {
  for (Entry& entry : guests_) {
    entry.guest->refresh();
    note(entry);
  }
}

// When there is something to say for the first time, and whenever a kernel came or went.
void GuestAttribution::note(Entry& entry) {
  bool changed = entry.changes != entry.guest->changes();
  if (entry.notes >= kMostNotes || (entry.notes > 0 && !changed)) return;
  std::string text = entry.guest->describe();
  if (text.empty()) return;
  ++entry.notes;
  entry.changes = entry.guest->changes();
  context_->info.notes.emplace_back("guest of " + entry.name, std::move(text));
}

void GuestAttribution::take_task(std::uint16_t vm, const iovm_task& task) {
  if (vm < guests_.size()) guests_[vm].guest->take_task(task);
}

std::uint32_t GuestAttribution::process_of(std::uint16_t vm, const iovm_record& record) {
  if (vm < guests_.size()) return guests_[vm].guest->process_of(record);
  return static_cast<std::uint32_t>(trace::Unknown::guest_not_ready);
}

}  // namespace iovm::record
