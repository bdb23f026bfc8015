// SPDX-License-Identifier: Apache-2.0
#include "record/guest_roots.h"

#include <utility>

namespace iovm::record {

GuestRoots::Owner* GuestRoots::find(const GuestKernel& kernel, std::uint64_t cr3,
                                    std::uint64_t time, Clock now) {
  Owner* owner = lookup(cr3);
  bool stale = owner == nullptr || owner->last_seen < time;
  if (!stale || (last_walk_ != 0 && now() < last_walk_ + kWalkEvery)) return owner;
  walk(kernel, now);
  return lookup(cr3);
}

GuestRoots::Owner* GuestRoots::lookup(std::uint64_t cr3) {
  std::uint64_t root = cr3 & kPageTableMask;
  auto found = owners_.find(root);
  // With page table isolation, user mode runs on the second of the two pages.
  if (found == owners_.end()) found = owners_.find(root & ~kUserRootBit);
  return found == owners_.end() ? nullptr : &found->second;
}

void GuestRoots::walk(const GuestKernel& kernel, Clock now) {
  last_walk_ = now();
  kernel.space().forget();
  TaskWalk walk = walk_tasks(kernel.space(), kernel.layout(), {.time = kWalkTime});
  std::uint64_t after = now();
  std::unordered_map<std::uint64_t, Owner> seen;
  for (const GuestTask& task : walk.tasks) {
    auto root = page_table_root(kernel.space(), kernel.layout().task, task.mm);
    if (!root || task.is_kernel_thread()) continue;
    auto [at, is_new] =
        seen.try_emplace(*root, Owner{task, !walk.closed, false, after, last_walk_, {}, {}, {}});
    Owner& owner = at->second;
    if (is_new) continue;
    if (owner.leader.tgid == task.tgid)
      owner.threaded = true;
    else
      owner.shared = true;
  }
  for (auto& [root, owner] : seen) {
    auto before = owners_.find(root);
    if (before != owners_.end() && before->second.leader.same_life(owner.leader) &&
        before->second.leader.mm == owner.leader.mm)
      owner.first_seen = before->second.first_seen;
  }
  owners_ = std::move(seen);
}

}  // namespace iovm::record
