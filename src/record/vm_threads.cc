// SPDX-License-Identifier: Apache-2.0
#include "record/vm_threads.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/assert.h"

namespace iovm::record {
namespace {

constexpr std::int64_t kIoctlCall = 16;  // x86-64
constexpr std::uint64_t kKvmRun = 0xae80;

std::optional<std::uint16_t> whole(std::string_view text) {
  std::uint16_t number = 0;
  auto [rest, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc() || rest != text.data() + text.size()) return std::nullopt;
  return number;
}

bool has_thread(const std::vector<Vcpu>& vcpus, std::int32_t tid) {
  return std::any_of(vcpus.begin(), vcpus.end(), [&](const Vcpu& v) { return v.tid == tid; });
}

// A VMM counts its vCPUs 0, 1, 2...; KVM's ids have gaps where the topology is no power of two
// (they are APIC ids). So the number in a comm is a rank among the ids, lowest first.
void match_by_comm(std::vector<Vcpu>& vcpus, const VcpuThread& thread) {
  auto rank = vcpu_of_comm(thread.comm);
  if (!rank || *rank >= vcpus.size() || has_thread(vcpus, thread.tid)) return;
  if (vcpus[*rank].tid < 0) vcpus[*rank].tid = thread.tid;
}

}  // namespace

std::optional<std::uint16_t> vcpu_of_comm(std::string_view comm) {
  struct Shape {
    std::string_view before;
    std::string_view after;
  };
  constexpr std::array kShapes = {
      Shape{"CPU ", "/KVM"},     // QEMU with debug-threads=on
      Shape{"fc_vcpu ", ""},     // Firecracker
      Shape{"vcpu", ""},         // cloud-hypervisor
      Shape{"crosvm_vcpu", ""},  // crosvm
      Shape{"kvm-vcpu-", ""},    // kvmtool
  };
  for (const Shape& shape : kShapes) {
    if (!comm.starts_with(shape.before) || !comm.ends_with(shape.after)) continue;
    if (comm.size() <= shape.before.size() + shape.after.size()) continue;
    comm.remove_prefix(shape.before.size());
    comm.remove_suffix(shape.after.size());
    return whole(comm);
  }
  return std::nullopt;
}

std::optional<std::uint16_t> vcpu_of_target(std::string_view target) {
  constexpr std::string_view kPrefix = "anon_inode:kvm-vcpu:";
  if (!target.starts_with(kPrefix)) return std::nullopt;
  return whole(target.substr(kPrefix.size()));
}

void match_threads(std::vector<Vcpu>& vcpus, const std::vector<int>& fd_of,
                   const std::vector<VcpuThread>& threads) {
  IOVM_ASSERT(fd_of.size() == vcpus.size());
  for (const VcpuThread& thread : threads) {
    if (!thread.running_fd) continue;
    for (std::size_t i = 0; i < vcpus.size(); ++i) {
      if (fd_of[i] == *thread.running_fd) vcpus[i].tid = thread.tid;
    }
  }
  for (const VcpuThread& thread : threads) match_by_comm(vcpus, thread);
}

std::vector<VcpuThread> vcpu_threads(const ProcProcess& process) {
  std::vector<VcpuThread> threads;
  for (std::int32_t tid : process.threads()) {
    VcpuThread thread{tid, process.thread_comm(tid), std::nullopt};
    auto call = process.blocked_call(tid);
    if (call && call->number == kIoctlCall && call->argument[1] == kKvmRun &&
        call->argument[0] <= 0x7fffffff)
      thread.running_fd = static_cast<int>(call->argument[0]);
    threads.push_back(std::move(thread));
  }
  return threads;
}

}  // namespace iovm::record
