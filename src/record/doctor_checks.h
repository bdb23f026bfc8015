// SPDX-License-Identifier: Apache-2.0
//
// The doctor's checks, one function for each source; doctor.cc puts them together. Each adds what
// it finds to a list, most basic first, and stops where what follows would only repeat the cause.
#pragma once

#include <string>
#include <vector>

#include "record/doctor.h"

namespace iovm::record::doctor {

struct Host {
  const HostRoots& roots;
  const HostProbes& probes;
};

using Checks = std::vector<Check>;

void check_kvm(const Host& host, Checks& checks);     // "host": is there a KVM to record
void check_rights(const Host& host, Checks& checks);  // "host": may VMs be found
void check_perf(const Host& host, Checks& checks);
void check_bpf(const Host& host, Checks& checks);
void check_kmod(const Host& host, Checks& checks);
void check_vm(const Vm& vm, Checks& checks);
// Asks for the PCI layout as a recording would.
void check_layout(const Host& host, const Vm& vm, Checks& checks);
// Finds the guest's kernel as a recording would.
GuestVerdict check_guest(const Host& host, const Vm& vm, Checks& checks);

// Linux's capability numbers, of those that matter here.
enum class Capability : unsigned { sys_ptrace = 19, sys_admin = 21, perfmon = 38, bpf = 39 };
// Whether this process has it (proc/self/status); CAP_SYS_ADMIN stands in for the newer two.
bool has_capability(const Host& host, Capability capability);

// A small file's text without line end; empty where it cannot be read.
std::string text_of(const std::string& path);
bool exists(const std::string& path);

}  // namespace iovm::record::doctor
