// SPDX-License-Identifier: Apache-2.0
#include "record/guest_resolver.h"

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
  doubtful_ = false;
}

bool GuestResolver::refresh() {
  if (!kernel_) return true;
  std::uint64_t now = now_();
  if (doubtful_ || now >= last_check_ + kCheckEvery) {
    last_check_ = now;
    doubtful_ = false;
    if (!kernel_->still_there()) return detach(), false;
  }
  if (kernel_->layout().clock)
    if (auto guest = read_boot_clock(kernel_->space(), *kernel_->layout().clock))
      clock_.sample(now_(), *guest);
  return true;
}

// In kernel mode at an address that no Linux kernel has: firmware, or a boot that begins.
bool GuestResolver::outside_kernel(const GuestMoment& moment) {
  return moment.cpl == 0 && moment.rip && !is_kernel_address(*moment.rip, true);
}

std::uint32_t GuestResolver::resolve(const GuestMoment& moment) {
  if (!kernel_) return unknown(Unknown::guest_not_ready);
  if (outside_kernel(moment)) {
    doubtful_ = true;
    return unknown(Unknown::guest_not_ready);
  }
  bool user_mode = moment.cpl && *moment.cpl == 3;
  if (!user_mode && moment.preempt_count && (*moment.preempt_count & (kSoftirq | kHardirq)) != 0)
    return interrupt_of(moment);
  if (moment.task) return by_task(*moment.task);
  if (moment.current) return by_pointer(moment);
  if (moment.cr3) return by_root(moment);
  return unknown(Unknown::not_resolved);
}

std::uint32_t GuestResolver::interrupt_of(const GuestMoment& moment) {
  trace::GuestProcess process;
  process.vm = vm_;
  process.comm = (*moment.preempt_count & kHardirq) != 0 ? "hardirq" : "softirq";
  process.kind = ProcessKind::interrupt;
  process.confidence = Confidence::high;
  process.how = "preempt count";
  return processes_->index_of(process).value_or(unknown(Unknown::not_resolved));
}

std::uint32_t GuestResolver::by_task(const GuestTask& task) {
  return enter(task, Confidence::high, "task read at the exit");
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
  auto owner = roots_.find(*kernel_, *moment.cr3, moment.time, now_);
  if (!owner || owner->shared) return unknown(Unknown::not_resolved);
  bool user_mode = moment.cpl && *moment.cpl == 3;
  bool throughout = owner->first_seen <= moment.time && moment.time <= owner->last_seen;
  bool sure = user_mode && throughout && !owner->threaded;
  return enter(owner->leader, sure ? Confidence::high : Confidence::low,
               user_mode ? "page tables, in user mode" : "page tables");
}

std::uint32_t GuestResolver::answer(Known& known, Confidence confidence) {
  bool high = confidence == Confidence::high;
  std::uint32_t& index = high ? known.process_high : known.process_low;
  bool& has = high ? known.has_high : known.has_low;
  if (!has) index = enter(known.task, confidence, "current task");
  has = true;
  return index;
}

std::uint32_t GuestResolver::enter(const GuestTask& task, Confidence confidence, const char* how) {
  trace::GuestProcess process;
  process.vm = vm_;
  process.pid = task.pid;
  process.tgid = task.tgid;
  process.start_ns = task.start_ns;
  process.comm = task.comm;
  process.kind = kind_of(task);
  process.confidence = confidence;
  process.how = how + container_of(task);
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
