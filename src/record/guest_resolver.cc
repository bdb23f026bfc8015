// SPDX-License-Identifier: Apache-2.0
#include "record/guest_resolver.h"

#include <algorithm>

#include "base/assert.h"
#include "base/format.h"

namespace iovm::record {
namespace {

using trace::Confidence;
using trace::ProcessKind;
using trace::Unknown;

// include/linux/preempt.h: bit 8 "a softirq is served" (the others of its byte only disable them),
// bits 16-19 hardirq, 20-23 NMI.
constexpr std::uint32_t kSoftirq = 0x100;
constexpr std::uint32_t kHardirq = 0xff0000;
constexpr std::uint64_t kCheckEvery = 1'000'000'000;  // ns between checks that the kernel is there
constexpr std::uint64_t kClockStep = 1'000'000'000;   // a boot clock never goes back; so far it may

std::uint32_t unknown(Unknown reason) {
  return static_cast<std::uint32_t>(reason);
}

ProcessKind kind_of(const GuestTask& task) {
  if (task.pid == 0 || task.is_idle()) return ProcessKind::idle;
  return task.is_kernel_thread() ? ProcessKind::kernel_thread : ProcessKind::user;
}

}  // namespace

void GuestResolver::attach(std::unique_ptr<GuestMemory> memory,
                           std::unique_ptr<GuestKernel> kernel) {
  IOVM_ASSERT(memory && kernel && &kernel->space().memory() == memory.get());
  detach();
  memory_ = std::move(memory);
  kernel_ = std::move(kernel);
}

void GuestResolver::detach() {
  kernel_.reset();
  memory_.reset();
  known_.clear();
  roots_.clear();
  clock_ = {};
  guest_time_ = 0;
  doubtful_ = false;
}

// The kernel is not what it was, and that can be seen: the memory of a VM that has ended cannot.
bool GuestResolver::is_gone() {
  if (kernel_->still_there()) return false;
  const auto& slots = memory_->slots().all();
  return !slots.empty() && memory_->value<std::uint8_t>(slots.front().gpa).has_value();
}

bool GuestResolver::refresh() {
  if (!kernel_) return true;
  std::uint64_t now = now_();
  if (doubtful_ || now >= last_check_ + kCheckEvery) {
    last_check_ = now;
    doubtful_ = false;
    if (is_gone()) return detach(), false;
  }
  if (!kernel_->layout().clock) return true;
  auto guest = read_boot_clock(kernel_->space(), *kernel_->layout().clock);
  if (!guest) return true;
  if (*guest + kClockStep < guest_time_) return detach(), false;  // another boot of the same kernel
  guest_time_ = std::max(guest_time_, *guest);
  clock_.sample(now_(), *guest);
  return true;
}

std::uint32_t GuestResolver::resolve(const GuestMoment& moment) {
  if (moment.outside_kernel()) {
    doubtful_ = true;
    if (!firmware_)
      firmware_ = enter_nobody("firmware", ProcessKind::firmware, Confidence::low,
                               "kernel mode outside of the kernel");
    return *firmware_;
  }
  if (!kernel_) return unknown(Unknown::guest_not_ready);
  bool user_mode = moment.cpl && *moment.cpl == 3;
  std::uint32_t count = user_mode ? 0 : moment.preempt_count.value_or(0);
  if ((count & (kSoftirq | kHardirq)) != 0) {
    bool hard = (count & kHardirq) != 0;
    std::optional<std::uint32_t>& index = hard ? hardirq_ : softirq_;
    if (!index)
      index = enter_nobody(hard ? "hardirq" : "softirq", ProcessKind::interrupt, Confidence::high,
                           "preempt count");
    return *index;
  }
  if (moment.process) return *moment.process;
  if (moment.current) return by_pointer(moment);
  if (moment.cr3) return by_root(moment);
  return unknown(Unknown::not_resolved);
}

std::uint32_t GuestResolver::enter(const GuestTask& task) {
  if (!kernel_ || !can_be_task(task, kernel_->space().tables().five_levels)) {
    doubtful_ = true;
    return unknown(Unknown::not_resolved);
  }
  return enter(task, Confidence::high, "task read at the exit");
}

std::uint32_t GuestResolver::enter_address_space(std::uint64_t cr3) {
  std::uint64_t root = cr3 & kPageTableMask;
  if (auto known = address_spaces_.find(root); known != address_spaces_.end()) return known->second;
  if (address_spaces_.size() >= kMostTasks) address_spaces_.clear();
  return address_spaces_[root] =
             enter_nobody(format("cr3:{:#x}", root), ProcessKind::address_space, Confidence::low,
                          "page tables alone: no kernel was found");
}

// Whether this life had begun at a time of the host.
bool GuestResolver::born_by(const Known& known, std::uint64_t time) const {
  if (known.first_seen <= time) return true;
  auto birth = clock_.host_time_by(known.task.start_ns);
  return birth && *birth <= time;
}

std::uint32_t GuestResolver::by_pointer(const GuestMoment& moment) {
  auto found = known_.find(*moment.current);
  if (found != known_.end() && found->second.last_seen >= moment.time)
    return answer(found->second,
                  born_by(found->second, moment.time) ? Confidence::high : Confidence::low);

  std::uint64_t before = now_();
  auto task = read_task(kernel_->space(), kernel_->layout().task, *moment.current);
  if (!task) {
    doubtful_ = true;
    return unknown(Unknown::not_resolved);
  }
  if (found != known_.end() && found->second.task.same_life(*task)) {
    Known& known = found->second;
    if (known.task.comm != task->comm) known.has_high = known.has_low = false;
    known.task = std::move(*task);
    known.last_seen = before;
    return answer(known, born_by(known, moment.time) ? Confidence::high : Confidence::low);
  }
  Known fresh{std::move(*task), now_(), before, 0, 0, false, false};
  bool is_its = fresh.task.pid == 0 || born_by(fresh, moment.time);
  if (!is_its && found != known_.end() && clock_.host_time_by(fresh.task.start_ns)) {
    // The one before it died between the event and now; it was the last that was seen here.
    return answer(found->second, Confidence::low);
  }
  if (known_.size() >= kMostTasks) known_.clear();
  Known& known = known_[*moment.current] = std::move(fresh);
  return answer(known, is_its ? Confidence::high : Confidence::low);
}

std::uint32_t GuestResolver::by_root(const GuestMoment& moment) {
  GuestRoots::Owner* owner = roots_.find(*kernel_, *moment.cr3, moment.time, now_);
  if (owner == nullptr || owner->shared) return unknown(Unknown::not_resolved);
  bool user_mode = moment.cpl && *moment.cpl == 3;
  bool throughout = owner->first_seen <= moment.time && moment.time <= owner->last_seen;
  bool sure = user_mode && throughout && !owner->threaded;
  std::optional<std::uint32_t>& index =
      sure ? owner->surely : (user_mode ? owner->in_user_mode : owner->in_kernel_mode);
  if (!index)
    index = enter(owner->leader, sure ? Confidence::high : Confidence::low,
                  user_mode ? "page tables, in user mode" : "page tables");
  return *index;
}

std::uint32_t GuestResolver::answer(Known& known, Confidence confidence) {
  bool high = confidence == Confidence::high;
  std::uint32_t& index = high ? known.process_high : known.process_low;
  bool& has = high ? known.has_high : known.has_low;
  if (!has) index = enter(known.task, confidence, "current task");
  has = true;
  return index;
}

std::uint32_t GuestResolver::enter(const GuestTask& task, Confidence confidence,
                                   std::string_view how) {
  trace::GuestProcess process;
  process.vm = vm_;
  process.pid = task.pid;
  process.tgid = task.tgid;
  process.start_ns = task.start_ns;
  process.comm = task.comm;
  process.kind = kind_of(task);
  process.confidence = confidence;
  process.how = std::string(how) + container_of(task);
  return processes_->index_of(process).value_or(unknown(Unknown::not_resolved));
}

// What no task does.
std::uint32_t GuestResolver::enter_nobody(std::string_view comm, ProcessKind kind,
                                          Confidence confidence, std::string_view how) {
  trace::GuestProcess process;
  process.vm = vm_;
  process.comm = comm;
  process.kind = kind;
  process.confidence = confidence;
  process.how = how;
  return processes_->index_of(process).value_or(unknown(Unknown::not_resolved));
}

// "; pid 7 inside, cgroup /box": only if its task_struct still holds the same life.
std::string GuestResolver::container_of(const GuestTask& task) const {
  const auto& layout = kernel_->layout().container;
  if (!layout || task.address == 0 || kind_of(task) != ProcessKind::user) return {};
  auto view = read_container(kernel_->space(), *layout, task.address);
  auto now = read_task(kernel_->space(), kernel_->layout().task, task.address);
  if (!view || !now || !now->same_life(task)) return {};
  std::string text;
  if (view->inner_pid) text += format("; pid {} inside", *view->inner_pid);
  if (view->cgroup != "/") text += "; cgroup " + view->cgroup;
  return text;
}

}  // namespace iovm::record
