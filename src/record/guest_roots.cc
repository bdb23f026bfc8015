// SPDX-License-Identifier: Apache-2.0
#include "record/guest_roots.h"

#include <array>
#include <span>
#include <utility>

namespace iovm::record {
namespace {

// Whether the root behind a kernel's root is its process's for user mode (page table isolation):
// both have the same user half, but for the no-execute bit. Without isolation it is a neighbour's.
bool is_user_root(const GuestMemory& memory, std::uint64_t root) {
  constexpr std::uint64_t kNoExecute = 1ULL << 63;
  std::array<std::uint64_t, 256> user;
  std::array<std::uint64_t, 256> kernel;
  if (!memory.read(root, std::as_writable_bytes(std::span(user))) ||
      !memory.read(root & ~kUserRootBit, std::as_writable_bytes(std::span(kernel))))
    return false;
  bool any = false;
  for (std::size_t i = 0; i < user.size(); ++i) {
    if (((user[i] ^ kernel[i]) & ~kNoExecute) != 0) return false;
    any = any || user[i] != 0;
  }
  return any;
}

}  // namespace

GuestRoots::Owner* GuestRoots::find(const GuestKernel& kernel, std::uint64_t cr3,
                                    std::uint64_t time, Clock now) {
  Owner* owner = lookup(kernel, cr3);
  bool stale = owner == nullptr || owner->last_seen < time;
  if (!stale || (last_walk_ != 0 && now() < last_walk_ + kWalkEvery)) return owner;
  walk(kernel, now);
  return lookup(kernel, cr3);
}

GuestRoots::Owner* GuestRoots::lookup(const GuestKernel& kernel, std::uint64_t cr3) {
  std::uint64_t root = cr3 & kPageTableMask;
  auto found = owners_.find(root);
  if (found != owners_.end()) return &found->second;
  found = owners_.find(root & ~kUserRootBit);
  if (found == owners_.end()) return nullptr;
  auto [known, is_new] = user_roots_.try_emplace(root, false);
  if (is_new) known->second = is_user_root(kernel.space().memory(), root);
  return known->second ? &found->second : nullptr;
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
  user_roots_.clear();
}

}  // namespace iovm::record
