// SPDX-License-Identifier: Apache-2.0
//
// The running virtual machines of this host, found for any VMM by what every one of them has: an
// open file descriptor anon_inode:kvm-vm, and one anon_inode:kvm-vcpu:N for each vCPU. Names and
// UUIDs come from the VMM's command line (QEMU: -name, -uuid; cloud-hypervisor, Firecracker: their
// --id/api names) and from libvirt where that is there; without a name the VM is known by its pid.
//
// All of /proc is read below one root (ProcRoot), which in tests is a folder of fixture files.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "trace/context.h"

namespace iovm::record {

struct ProcRoot {
  std::string path = "/proc";
};

struct Vcpu {
  std::uint16_t index = 0;  // KVM's vCPU id
  std::int32_t tid = -1;    // the host thread that runs it; -1 not known yet
};

struct Vm {
  trace::VmInfo info;       // what goes into the trace
  std::vector<Vcpu> vcpus;  // by index
};

// All running VMs, by pid. A process that cannot be looked into (no right) is counted, not an
// error.
struct VmList {
  std::vector<Vm> vms;
  std::size_t unreadable = 0;  // processes whose descriptors could not be read
};
Result<VmList> list_vms(const ProcRoot& proc);

// The VMs that `wanted` names: a pid, a UUID, a name (also libvirt's), or "all". The error names
// what was found instead. More than one VM of that name is a usage error that lists their pids.
Result<std::vector<Vm>> find_vms(const ProcRoot& proc, std::string_view wanted);

}  // namespace iovm::record
