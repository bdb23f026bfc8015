// SPDX-License-Identifier: Apache-2.0
//
// What this host can record and, where it cannot, what mends it. A check is data: what was looked
// at, what was found, and the command or right that would help; how that looks is doctor_text.h's.
// Where it can, a check tries the very thing that a recording does (opening the tracepoint, talking
// to the module) rather than guess from versions and settings; those are then told as the reason.
//
// Everything is looked up below roots, and what asks the kernel goes through probes, so that tests
// can show hosts that are not at hand.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "record/tracefs.h"
#include "record/vm.h"

namespace iovm::record {

enum class CheckState : std::uint8_t {
  ok,
  missing,  // the source does not work without it
  note,     // it works, but less than it could; or for information
};
std::string_view name_of(CheckState state);  // "ok", "missing", "note"

struct Check {
  std::string source;  // "host", "perf", "bpf", "kmod", "vm", "guest"
  std::string name;
  CheckState state = CheckState::ok;
  std::string found;
  std::string mend;  // empty: nothing to do
};

struct SourceVerdict {
  std::string source;
  bool works = false;
};

// Whether the processes of a VM's guest can be named; the way there is in the checks of "guest".
struct GuestVerdict {
  bool named = false;
  std::string summary;
  std::chrono::nanoseconds took{0};
};

struct Diagnosis {
  std::vector<Check> checks;  // in the order of their sources
  std::vector<SourceVerdict> sources;
  std::optional<GuestVerdict> guest;  // of the VM that was asked for

  bool works() const;  // some source does
};

struct HostRoots {
  std::string proc = "/proc";
  std::string sys = "/sys";
  std::string dev = "/dev";
  std::string modules = "/lib/modules";
  std::string guest_profiles = "/var/cache/iovm";
};

struct HostProbes {
  // Opens that tracepoint as a recording would: 0, or the errno.
  std::function<int(std::uint32_t id)> open_tracepoint;
  // Asks that device for KVM's API version: the version, or -errno.
  std::function<int(const std::string& path)> kvm_version;
  // Loads the BPF program, as a recording does, and takes it out again; what it cannot give here.
  std::function<Result<std::string>()> load_bpf;
  // Opens iovm.ko's device and compares versions.
  std::function<Status(const std::string& path)> open_module;
  // Mounts a tracing directory for this process alone, as a recording does where there is none.
  std::function<Result<Tracefs>()> mount_tracefs;
};
HostProbes real_probes();

Diagnosis diagnose(const HostRoots& roots, const HostProbes& probes);
// The same, and what can be told of one running VM. An error if there is no such VM.
Result<Diagnosis> diagnose(const HostRoots& roots, const HostProbes& probes,
                           std::string_view vm_name);

}  // namespace iovm::record
