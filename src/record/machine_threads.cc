// SPDX-License-Identifier: Apache-2.0
#include "record/machine_threads.h"

#include <algorithm>

#include "record/vm_identity.h"
#include "record/vm_threads.h"

namespace iovm::record {
namespace {

// Threads that a recording may name: more than any kernel has (pid_max is 4 Mi at most).
constexpr std::size_t kMostThreads = std::size_t{1} << 22;
constexpr std::size_t kMostVcpus = 65535;
constexpr std::size_t kMostVms = 65534;
constexpr std::size_t kLongestComm = 255;

}  // namespace

void MachineThreads::comm(std::int32_t tid, std::string_view name) {
  if (comms_.size() >= kMostThreads && comms_.find(tid) == comms_.end()) return;
  comms_[tid] = name.substr(0, kLongestComm);
  places_.erase(tid);
}

std::string_view MachineThreads::comm_of(std::int32_t tid) const {
  auto found = comms_.find(tid);
  return found == comms_.end() ? std::string_view() : std::string_view(found->second);
}

void MachineThreads::note_io(std::int32_t pid, std::int32_t tid) {
  if (processes_.size() >= kMostVms && processes_.find(pid) == processes_.end()) return;
  Process& process = processes_[pid];
  if (process.ranked.size() < kMostVcpus) process.ranked.emplace(tid, std::uint16_t{0});
  if (vcpu_of_comm(comm_of(tid))) process.named = true;
}

void MachineThreads::end_first_pass() {
  places_.clear();
  first_pass_done_ = true;
  for (auto& [pid, process] : processes_) {
    std::uint16_t next = 0;
    for (auto& [tid, number] : process.ranked) number = next++;
  }
}

bool MachineThreads::needs_ranks() const {
  return std::any_of(processes_.begin(), processes_.end(),
                     [](const auto& process) { return !process.second.named; });
}

std::optional<std::uint16_t> MachineThreads::vm_of(Process& process, std::int32_t pid,
                                                   trace::Context& context) {
  if (process.vm) return process.vm;
  if (context.vms.size() >= kMostVms) return std::nullopt;
  trace::VmInfo info;
  // A recording that does not know processes has made up negative ones.
  if (pid >= 0) info.name = comm_of(pid);
  if (pid >= 0) info.vmm = identify_vm("", {}, info.name).vmm;
  info.pid = std::max(pid, -1);
  if (first_pass_done_) info.vcpus = static_cast<std::uint32_t>(process.ranked.size());
  process.vm = static_cast<std::uint16_t>(context.vms.size());
  context.vms.push_back(std::move(info));
  return process.vm;
}

std::optional<std::uint16_t> MachineThreads::vcpu_of(Process& process, std::int32_t tid) {
  if (auto told = vcpu_of_comm(comm_of(tid))) {
    process.named = true;
    return told;
  }
  if (process.named) return std::nullopt;
  auto found = process.ranked.find(tid);
  if (found == process.ranked.end()) {
    if (process.ranked.size() >= kMostVcpus) return std::nullopt;
    found = process.ranked.emplace(tid, static_cast<std::uint16_t>(process.ranked.size())).first;
  }
  return found->second;
}

std::optional<MachineThreads::Place> MachineThreads::place(std::int32_t pid, std::int32_t tid,
                                                           trace::Context& context) {
  auto known = places_.find(tid);
  if (known != places_.end()) return known->second;
  auto process = processes_.find(pid);
  if (process == processes_.end()) {
    if (processes_.size() >= kMostVms) return std::nullopt;
    process = processes_.emplace(pid, Process()).first;
  }
  auto vm = vm_of(process->second, pid, context);
  if (!vm) return std::nullopt;
  Place made{*vm, vcpu_of(process->second, tid)};
  if (places_.size() < kMostThreads) places_.emplace(tid, made);
  return made;
}

}  // namespace iovm::record
