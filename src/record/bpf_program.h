// SPDX-License-Identifier: Apache-2.0
//
// The BPF program in the kernel (src/record/bpf/iovm.bpf.c): loaded, told where this kernel's
// tracepoints have their arguments (bpf_arguments.h), put on them and taken off. Its maps are this
// class's; what both sides write at any time (states, guests, control) is mapped memory. Nothing is
// pinned: with the object the program and all of its goes, also when the process dies.
//
// load() is the whole test of whether this host can: types, rights, the verifier. It changes
// nothing, so the doctor calls it too. libbpf is known in bpf_program.cc alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "iovm_abi.h"
#include "record/bpf/state.h"
#include "trace/write_match.h"

namespace iovm::record {

class BpfProgram {
 public:
  // What the program may do beside recording.
  enum class Stops : bool { none, some };
  // The error names what is missing and what to do: types, a right, a feature.
  static Result<std::unique_ptr<BpfProgram>> load(Stops stops = Stops::none,
                                                  const std::string& sys = "/sys",
                                                  const std::string& proc = "/proc");
  ~BpfProgram();

  // Which of the guest's registers it cannot give here, and why; empty: it gives all.
  std::string lacks() const;

  Status attach();
  // After it no CPU runs the program.
  Status detach();

  // A VM whose accesses are wanted. A second one of that tgid takes the place of the first.
  Status add_vm(std::uint32_t tgid, const iovm_bpf_vm& vm);
  void remove_vm(std::uint32_t tgid);
  // The state of that vCPU, made if it has none yet; nothing if there is none left.
  std::optional<std::uint32_t> state_of(const iovm_bpf_vcpu& vcpu);
  // A new ring of that CPU: its descriptor.
  Result<UniqueFd> add_ring(unsigned cpu, std::size_t bytes);
  // The writes at which VMs are stopped, in place of those before; loaded for Stops::some. From any
  // thread, one at a time.
  Status set_stops(std::span<const trace::WriteMatch> writes);
  // Stops whose records found no room, by state; empty if loaded for Stops::none.
  std::span<iovm_left_stop> left_stops();
  // Times that a program was not run because another was being run on that CPU.
  Result<std::uint64_t> missed() const;

  iovm_bpf_control& control();
  const iovm_bpf_settings& settings() const;
  std::span<iovm_vcpu_state> states();  // those in use
  std::span<iovm_guest> guests();

 private:
  struct Object;
  explicit BpfProgram(std::unique_ptr<Object> object);
  std::unique_ptr<Object> object_;
};

}  // namespace iovm::record
