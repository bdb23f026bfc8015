// SPDX-License-Identifier: Apache-2.0
#include "record/guest_vm.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/format.h"
#include "base/text.h"
#include "record/guest_kernel_side.h"

namespace iovm::record {
namespace {

constexpr unsigned kMostStrangers = 64;
constexpr std::uint64_t kRootEvery = 50'000'000;      // ns
constexpr std::uint64_t kHurryEvery = 1'000'000'000;  // ns

template <typename T>
std::optional<T> if_present(const iovm_record& record, iovm_present bit, T value) {
  if ((record.present & bit) == 0) return std::nullopt;
  return value;
}

GuestMoment moment_of(const iovm_record& record) {
  GuestMoment moment;
  moment.time = record.time;
  moment.cr3 = if_present(record, IOVM_HAS_CR3, std::uint64_t{record.cr3});
  moment.rip = if_present(record, IOVM_HAS_RIP, std::uint64_t{record.rip});
  moment.cpl = if_present(record, IOVM_HAS_CPL, record.cpl);
  return moment;
}

GuestTask task_in(const iovm_task& record) {
  GuestTask task;
  task.address = record.current_task;
  task.pid = static_cast<std::int32_t>(record.pid);
  task.tgid = static_cast<std::int32_t>(record.process);
  task.start_ns = record.start_time;
  task.mm = record.mm;
  task.flags = record.flags;
  const char* comm = reinterpret_cast<const char*>(record.comm);
  task.comm.assign(comm, strnlen(comm, kCommBytes - 1));
  return task;
}

}  // namespace

GuestVm::Vcpu& GuestVm::vcpu(std::uint16_t number) {
  if (number >= vcpus_.size()) vcpus_.resize(std::size_t{number} + 1);
  return vcpus_[number];
}

void GuestVm::refresh() {
  if (state_ == State::looking) {
    if (auto found = finder_->take()) attach(std::move(*found));
    return;
  }
  if (!resolver_.refresh()) return lose();
  if (!guest_told_) tell_guest();
}

void GuestVm::attach(FoundGuest found) {
  resolver_.attach(std::move(found.memory), std::move(found.search.kernel));
  state_ = State::unconfirmed;
  alone_since_ = 0;
  by_address_space_ = false;
  strangers_ = 0;
  ++changes_;
  resolver_.refresh();
  tell_guest();
}

void GuestVm::tell_guest() {
  const GuestKernel& kernel = *resolver_.kernel();
  guest_told_ = static_cast<bool>(session_->set_guest(kernel_side_of(kernel, vmm_)));
  if (!guest_told_) return;
  for (const GuestCpu& cpu : kernel.cpus())
    if (cpu.vcpu < IOVM_MAX_VCPUS) tell_slot(static_cast<std::uint16_t>(cpu.vcpu), &cpu);
}

// No CPU: takes the slot back.
void GuestVm::tell_slot(std::uint16_t number, const GuestCpu* cpu) {
  iovm_slot slot = {static_cast<std::uint32_t>(vmm_), number, cpu ? cpu->current_hva : 0,
                    cpu ? cpu->preempt_count_hva : 0};
  Vcpu& at = vcpu(number);
  at = {};
  if (session_->set_slot(slot) && cpu) {
    at.gs_base = cpu->gs_base;
    at.told = true;
  }
}

// The kernel is gone: nothing that is read by its layout means anything.
void GuestVm::lose() {
  bool wrong = state_ == State::unconfirmed && resolver_.kernel() != nullptr;
  if (wrong) finder_->look_for_another(*resolver_.kernel());
  resolver_.detach();
  for (std::size_t i = 0; i < vcpus_.size(); ++i)
    if (vcpus_[i].told) tell_slot(static_cast<std::uint16_t>(i), nullptr);
  iovm_guest none = {};
  none.tgid = static_cast<std::uint32_t>(vmm_);
  if (guest_told_) static_cast<void>(session_->set_guest(none));
  guest_told_ = false;
  state_ = State::looking;
  ++changes_;
  if (!wrong) finder_->look_again();
}

// Whether the kernel that was found is the one that runs.
bool GuestVm::is_confirmed(const GuestMoment& moment) {
  if (moment.outside_kernel()) {
    resolver_.doubt();
    if (state_ == State::attached) state_ = State::unconfirmed;
    return false;
  }
  if (state_ == State::attached) return true;
  // A source that sees no CR3 (bpf on Intel) has the finder's word alone.
  if (moment.cr3 && !resolver_.kernel()->confirmed_by(*moment.cr3)) {
    if (++strangers_ >= kMostStrangers) lose();
    return false;
  }
  if (!resolver_.refresh()) return lose(), false;
  strangers_ = 0;
  state_ = State::attached;
  return true;
}

// An attached kernel that the vCPUs do not run on any more. The page tables of a process that has
// ended since the event can hold anything, so one CR3 says little; many in a row do.
void GuestVm::look_at_root(const GuestMoment& moment) {
  if (!moment.cr3 || moment.cpl != 0 || moment.time < next_root_) return;
  next_root_ = moment.time + kRootEvery;
  if (resolver_.kernel()->confirmed_by(*moment.cr3)) {
    strangers_ = 0;
  } else if (resolver_.doubt(), ++strangers_ >= kMostStrangers) {
    lose();
  }
}

// Whether this vCPU is the CPU whose slot was told when the record was made. If it is another of
// the kernel's, its slot is told now.
bool GuestVm::trusts(Vcpu& at, const iovm_record& record) {
  if ((record.present & IOVM_HAS_GS_BASE) == 0) return at.verified || (at.told && !sees_gs_base_);
  sees_gs_base_ = true;
  if (at.told && at.gs_base == record.gs_base) return at.verified = true;
  const auto& cpus = resolver_.kernel()->cpus();
  auto cpu = std::ranges::find(cpus, record.gs_base, &GuestCpu::gs_base);
  if (cpu != cpus.end()) {
    tell_slot(record.vcpu, &*cpu);
  } else if (!cpus.empty()) {
    resolver_.doubt();
  }
  return false;
}

void GuestVm::take_task(const iovm_task& task) {
  if (task.vcpu >= IOVM_MAX_VCPUS) return;
  Vcpu& at = vcpu(task.vcpu);
  at.task = task;
  at.process.reset();
}

std::optional<std::uint32_t> GuestVm::task_of(Vcpu& at, const iovm_record& record) {
  if ((record.present & IOVM_HAS_TASK) == 0 || at.task.time == 0) return std::nullopt;
  if (at.task.current_task != record.current_task) return std::nullopt;
  if (!at.process) at.process = resolver_.enter(task_in(at.task));
  return at.process;
}

// Whether a kernel should have been found by now.
bool GuestVm::is_patience_over(const GuestMoment& moment) {
  if (state_ != State::looking) return false;
  if (alone_since_ == 0) alone_since_ = moment.time;
  if (moment.time < alone_since_ + kPatience) return false;
  if (!std::exchange(by_address_space_, true)) ++changes_;
  return true;
}

std::uint32_t GuestVm::before_kernel(const GuestMoment& moment) {
  if (!moment.outside_kernel()) {
    if (moment.cr3 && is_patience_over(moment)) return resolver_.enter_address_space(*moment.cr3);
    return static_cast<std::uint32_t>(trace::Unknown::guest_not_ready);
  }
  alone_since_ = 0;
  if (state_ == State::looking && moment.time >= next_hurry_) {
    next_hurry_ = moment.time + kHurryEvery;
    finder_->hurry();
  }
  return resolver_.resolve(moment);
}

std::uint32_t GuestVm::process_of(const iovm_record& record) {
  GuestMoment moment = moment_of(record);
  if (state_ == State::looking || !is_confirmed(moment)) return before_kernel(moment);
  bool has_vcpu = (record.present & IOVM_HAS_VCPU) != 0 && record.vcpu < IOVM_MAX_VCPUS;
  if (has_vcpu && trusts(vcpu(record.vcpu), record)) {
    moment.process = task_of(vcpu(record.vcpu), record);
    moment.current = if_present(record, IOVM_HAS_CURRENT, std::uint64_t{record.current_task});
    moment.preempt_count = if_present(record, IOVM_HAS_PREEMPT_COUNT, record.preempt_count);
  }
  std::uint32_t process = resolver_.resolve(moment);
  look_at_root(moment);
  return process;
}

std::string GuestVm::describe() const {
  if (const GuestKernel* kernel = resolver_.kernel())
    return describe_kernel(*kernel) + (kernel->cpus().empty()
                                           ? "; its processes are known by their page tables alone"
                                           : "; its processes are named");
  std::string why_not = finder_->why_not();
  if (by_address_space_)
    return "its processes cannot be named, only told apart by address space (cr3:0x...): " +
           why_not;
  if (why_not.empty()) return changes_ > 0 ? "its kernel is gone; looking for the next" : "";
  return "its processes cannot be named yet: " + why_not;
}

}  // namespace iovm::record
