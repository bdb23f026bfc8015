// SPDX-License-Identifier: Apache-2.0
#include "trace/context_join.h"

#include <algorithm>

#include "base/assert.h"
#include "trace/format.h"

namespace iovm::trace {
namespace {

bool is_same(const VmInfo& a, const VmInfo& b) {
  return a.name == b.name && a.uuid == b.uuid && a.vmm == b.vmm && a.pid == b.pid;
}

}  // namespace

ContextJoin::Numbers& ContextJoin::numbers_of(std::size_t source) {
  if (numbers_.size() <= source) numbers_.resize(source + 1);
  return numbers_[source];
}

Result<std::uint16_t> ContextJoin::vm(std::size_t source, const Context& from,
                                      std::uint16_t index) {
  auto& numbers = numbers_of(source).vms;
  if (numbers.size() <= index) numbers.resize(index + std::size_t{1});
  if (numbers[index]) return *numbers[index];
  IOVM_ASSERT(index < from.vms.size());
  const VmInfo& info = from.vms[index];
  auto& vms = context_.vms;
  auto known =
      std::find_if(vms.begin(), vms.end(), [&](const VmInfo& v) { return is_same(v, info); });
  if (known != vms.end()) {
    known->vcpus = std::max(known->vcpus, info.vcpus);
    known->memory = std::max(known->memory, info.memory);
    if (known->pci.functions.empty()) known->pci = info.pci;
  } else {
    if (vms.size() >= kAllVms) return input_error("more than 65535 VMs have no place in a trace");
    known = vms.insert(vms.end(), info);
  }
  numbers[index] = static_cast<std::uint16_t>(known - vms.begin());
  return *numbers[index];
}

Result<std::uint32_t> ContextJoin::process(std::size_t source, const Context& from,
                                           std::uint32_t index) {
  auto& numbers = numbers_of(source).processes;
  if (numbers.size() <= index) numbers.resize(index + std::size_t{1});
  if (numbers[index]) return *numbers[index];
  IOVM_ASSERT(index < from.processes.size());
  GuestProcess info = from.processes[index];
  auto its_vm = vm(source, from, info.vm);
  if (!its_vm) return std::move(its_vm).error();
  info.vm = *its_vm;
  auto next = static_cast<std::uint32_t>(context_.processes.size());
  ProcessKey key{info.vm,   info.pid,  info.tgid,       info.start_ns,
                 info.comm, info.kind, info.confidence, info.how};
  auto [place, is_new] = known_.try_emplace(std::move(key), next);
  if (is_new) {
    if (next >= kMostProcesses) return input_error("more guest processes than a trace can hold");
    context_.processes.push_back(std::move(info));
  }
  numbers_of(source).processes[index] = place->second;
  return place->second;
}

Status ContextJoin::add(std::size_t source, const Context& from, const Event& event,
                        std::vector<Event>& out) {
  Event joined = event;
  if (event.vm != kAllVms) {
    auto number = vm(source, from, event.vm);
    if (!number) return std::move(number).error();
    joined.vm = *number;
  }
  if (event.knows_process()) {
    auto number = process(source, from, event.process);
    if (!number) return std::move(number).error();
    joined.process = *number;
  }
  out.push_back(joined);
  return {};
}

Status ContextJoin::add_vms(std::size_t source, const Context& from) {
  for (std::size_t i = numbers_of(source).vms.size(); i < from.vms.size(); ++i) {
    auto number = vm(source, from, static_cast<std::uint16_t>(i));
    if (!number) return std::move(number).error();
  }
  return {};
}

}  // namespace iovm::trace
