// SPDX-License-Identifier: Apache-2.0
#include "record/vm_tracker.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "base/assert.h"
#include "base/clock.h"
#include "base/format.h"
#include "record/proc_process.h"
#include "record/vm_layout.h"
#include "record/vm_threads.h"
#include "trace/event.h"

namespace iovm::record {
namespace {

constexpr std::uint64_t kNever = ~std::uint64_t{0};
constexpr std::uint64_t kFirstPause = 50'000'000;        // ns
constexpr std::uint64_t kLongestPause = 10'000'000'000;  // ns
// Looking for a VM that is waited for: this often, but never for more than a part of the time.
constexpr std::uint64_t kLookEvery = 50'000'000;  // ns
constexpr std::uint64_t kLookPart = 20;
constexpr std::size_t kMostVms = trace::kAllVms;

bool same_vm(const trace::VmInfo& a, const trace::VmInfo& b) {
  return a.pid == b.pid;
}

}  // namespace

Result<VmTracker> VmTracker::create(ProcRoot proc, std::vector<std::string> wanted, bool wait) {
  IOVM_ASSERT(!wanted.empty());
  VmTracker tracker(std::move(proc), std::move(wanted));
  for (std::size_t i = 0; i < tracker.wanted_.size(); ++i) {
    auto found = find_vms(tracker.proc_, tracker.wanted_[i]);
    if (!found) {
      if (wait) continue;
      return std::move(found).error();
    }
    for (const Vm& vm : *found) tracker.adopt(vm);
    tracker.seen_[i] = true;
  }
  // Of those that have booted already; the boot of others will be in the recording.
  if (tracker.proc_.path == ProcRoot().path) ask_layouts(tracker.proc_, tracker.vms_);
  return tracker;
}

bool VmTracker::waiting() const {
  return std::ranges::find(seen_, false) != seen_.end();
}

std::uint16_t VmTracker::adopt(const Vm& vm) {
  for (const Running& running : live_) {
    if (running.pid == vm.info.pid) return running.vm;
  }
  IOVM_ASSERT(vms_.size() < kMostVms);
  auto index = static_cast<std::uint16_t>(vms_.size());
  auto pid = static_cast<std::int32_t>(vm.info.pid);
  UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  vms_.push_back(vm.info);
  if (pidfd) ++running_;  // else it has ended between the look and now
  live_.push_back({pid, index, std::move(pidfd)});
  for (const Vcpu& vcpu : vm.vcpus) {
    if (vcpu.tid > 0) threads_[vcpu.tid] = {{true, index, vcpu.index}, pid, kNever, 0};
  }
  last_tid_ = -1;
  return index;
}

void VmTracker::add_polls(std::vector<pollfd>& polls) const {
  for (const Running& running : live_) {
    if (running.pidfd) polls.push_back({running.pidfd.get(), POLLIN, 0});
  }
}

void VmTracker::check_ends() {
  for (Running& running : live_) {
    pollfd poll_one = {running.pidfd.get(), POLLIN, 0};
    if (!running.pidfd || ::poll(&poll_one, 1, 0) != 1) continue;
    running.pidfd.reset();
    --running_;
  }
}

bool VmTracker::has_ended(std::size_t vm) const {
  return std::ranges::none_of(
      live_, [&](const Running& running) { return running.vm == vm && running.pidfd; });
}

std::uint64_t VmTracker::next_look() const {
  return waiting() ? next_look_ : kNever;
}

void VmTracker::look_for_wanted(std::uint64_t now) {
  if (now < next_look()) return;
  for (std::size_t i = 0; i < wanted_.size(); ++i) {
    if (seen_[i]) continue;
    auto found = find_vms(proc_, wanted_[i]);
    if (!found) continue;
    seen_[i] = true;
    for (const Vm& vm : *found) adopt(vm);
  }
  std::uint64_t end = monotonic_ns();
  std::uint64_t took = end > now ? end - now : 0;
  next_look_ = now + std::max(kLookEvery, took * kLookPart);
}

const VmTracker::Place& VmTracker::look_up(std::int32_t pid, std::int32_t tid, std::uint64_t now) {
  auto [at, added] = threads_.try_emplace(tid);
  Thread& thread = at->second;
  // The number of a thread that has ended comes round again, in another process.
  if (!added && thread.pid != pid) thread = Thread{}, added = true;
  if (added || now >= thread.look_again) {
    thread.pid = pid;
    thread.pause = std::clamp(thread.pause * 4, kFirstPause, kLongestPause);
    thread.look_again = now + thread.pause;
    look_at(thread, tid);
  }
  last_tid_ = tid;
  last_until_ = thread.look_again;
  last_ = &thread.place;
  return thread.place;
}

void VmTracker::look_at(Thread& thread, std::int32_t tid) {
  auto vm = vm_of(thread.pid);
  if (!vm) return;
  thread.place.ours = true;
  thread.place.vm = *vm;
  if (!thread.place.vcpu) thread.place.vcpu = vcpu_of(thread.pid, tid);
  if (thread.place.vcpu) thread.look_again = kNever;
}

std::optional<std::uint16_t> VmTracker::vm_of(std::int32_t pid) {
  for (const Running& running : live_) {
    if (running.pid == pid && running.pidfd) return running.vm;
  }
  for (std::size_t i = 0; i < wanted_.size(); ++i) {
    // "all" takes VMs as they come; a name is for one VM.
    if (seen_[i] && wanted_[i] != "all") continue;
    if (vms_.size() >= kMostVms) break;
    auto found = find_vms(proc_, wanted_[i]);
    if (!found) continue;
    for (const Vm& vm : *found) {
      if (vm.info.pid != pid) continue;
      std::erase_if(live_, [&](const Running& old) { return old.pid == pid; });
      seen_[i] = true;
      return adopt(vm);
    }
  }
  // The last events of a VM that has just ended.
  for (const Running& running : live_) {
    if (running.pid == pid) return running.vm;
  }
  auto all = std::ranges::find(wanted_, "all");
  if (all == wanted_.end() || vms_.size() >= kMostVms) return std::nullopt;
  seen_[static_cast<std::size_t>(all - wanted_.begin())] = true;
  Vm nameless;
  nameless.info.pid = pid;
  return adopt(nameless);
}

std::optional<std::uint16_t> VmTracker::vcpu_of(std::int32_t pid, std::int32_t tid) const {
  ProcProcess process(proc_.path, pid);
  auto descriptors = process.descriptors();
  if (!descriptors) return std::nullopt;
  std::map<std::uint16_t, int> opened;
  for (const Descriptor& descriptor : *descriptors) {
    if (auto id = vcpu_of_target(descriptor.target)) opened.emplace(*id, descriptor.number);
  }
  std::vector<Vcpu> vcpus;
  std::vector<int> fd_of;
  for (auto [id, fd] : opened) {
    vcpus.push_back({id, -1});
    fd_of.push_back(fd);
  }
  match_threads(vcpus, fd_of, vcpu_threads(process));
  const Vcpu* left = nullptr;
  std::size_t unmatched = 0;
  for (const Vcpu& vcpu : vcpus) {
    if (vcpu.tid == tid) return vcpu.index;
    if (vcpu.tid < 0) left = &vcpu, ++unmatched;
  }
  return unmatched == 1 ? std::optional(left->index) : std::nullopt;
}

bool VmTracker::owns(std::int32_t tid) const {
  return std::ranges::any_of(live_, [&](const Running& running) {
    std::string path = format("{}/{}/task/{}", proc_.path, running.pid, tid);
    return running.pidfd && ::access(path.c_str(), F_OK) == 0;
  });
}

Result<std::vector<std::int32_t>> VmTracker::foreign_threads() const {
  std::vector<std::int32_t> tids;
  if (waiting() || std::ranges::find(wanted_, "all") != wanted_.end()) return tids;
  auto list = list_vms(proc_);
  if (!list) return std::move(list).error();
  for (const Vm& vm : list->vms) {
    bool ours = std::ranges::any_of(vms_, [&](const auto& own) { return same_vm(own, vm.info); });
    if (ours) continue;
    for (const Vcpu& vcpu : vm.vcpus) {
      if (vcpu.tid > 0) tids.push_back(vcpu.tid);
    }
  }
  return tids;
}

}  // namespace iovm::record
