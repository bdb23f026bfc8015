// SPDX-License-Identifier: Apache-2.0
//
// Which host thread runs which vCPU. The kernel does not say so anywhere, but a vCPU thread spends
// its life in ioctl(fd, KVM_RUN), and while it is blocked there (the guest is halted, or idle)
// /proc/PID/task/TID/syscall shows the descriptor, whose link names KVM's vCPU id: exact for every
// VMM. A vCPU that computes shows "running" instead; then the thread's comm decides, as the VMMs
// set it ("CPU 3/KVM", "fc_vcpu 3", "vcpu3", ...). What neither tells stays unknown: a guess here
// would put one vCPU's I/O into another's sequence.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "record/proc_process.h"
#include "record/vm.h"

namespace iovm::record {

// The vCPU number in a thread's comm, if it is one that a VMM gives its vCPU threads.
std::optional<std::uint16_t> vcpu_of_comm(std::string_view comm);

// The number of a KVM vCPU descriptor's target "anon_inode:kvm-vcpu:N"; nothing for other targets.
std::optional<std::uint16_t> vcpu_of_target(std::string_view target);

struct VcpuThread {
  std::int32_t tid = -1;
  std::string comm;
  std::optional<int> running_fd;  // the descriptor whose KVM_RUN it is blocked in
};

// Fills the tid of each vCPU; `fd_of[i]` is the descriptor of vcpus[i].
void match_threads(std::vector<Vcpu>& vcpus, const std::vector<int>& fd_of,
                   const std::vector<VcpuThread>& threads);

// All threads of a VMM, as match_threads wants them.
std::vector<VcpuThread> vcpu_threads(const ProcProcess& process);

}  // namespace iovm::record
