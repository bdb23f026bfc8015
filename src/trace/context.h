// SPDX-License-Identifier: Apache-2.0
//
// What events refer to by index, and what a recording says about itself: the VMs, the guest
// processes and the header. A Context only grows: an index, once given, means the same for the rest
// of the trace. It travels in the trace file as its own blocks, appended when it changes.
//
// Names (of VMs, processes, headers) are raw bytes as the guest or the file had them: hostile text
// that every renderer escapes (base/text.h).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "trace/pci_layout.h"

namespace iovm::trace {

struct VmInfo {
  std::string name;
  std::string uuid;
  std::string vmm;        // "qemu", "firecracker", ... or the executable's name
  std::int64_t pid = -1;  // of the VMM, on the host; -1 unknown
  std::uint32_t vcpus = 0;
  std::uint64_t memory = 0;  // bytes; 0 unknown
  PciLayout pci = {};        // when the recording began; mostly not needed, and not told

  friend bool operator==(const VmInfo&, const VmInfo&) = default;
};

enum class ProcessKind : std::uint8_t {
  user,
  kernel_thread,
  idle,
  interrupt,
  firmware,
  unknown,
  address_space  // page tables of which nothing else is known; comm is "cr3:0x..."
};
enum class Confidence : std::uint8_t { none, low, high };

struct GuestProcess {
  std::uint16_t vm = 0;   // index in Context::vms
  std::int64_t pid = -1;  // the guest's, of its root pid name space
  std::int64_t tgid = -1;
  std::uint64_t start_ns =
      0;  // the guest's boot clock; tells apart two lives of one pid; 0 unknown
  std::string comm;
  ProcessKind kind = ProcessKind::unknown;
  Confidence confidence = Confidence::none;
  std::string how;  // how it was found: "current task", "events file", ...

  friend bool operator==(const GuestProcess&, const GuestProcess&) = default;
};

// The header of a trace.
struct TraceInfo {
  std::array<std::uint8_t, 16> id = {};  // random; names the trace in models and alerts
  std::string source;  // "perf", "bpf", "kmod", "perf.data", "trace.dat", "events", "sequences"
  std::string tool;    // "iovm 0.1.0"
  std::string host;    // node name; may be empty
  std::string kernel;  // the host's kernel release; may be empty
  std::int64_t utc_offset_ns = 0;        // UTC minus CLOCK_MONOTONIC; 0 unknown
  std::uint64_t time_resolution_ns = 1;  // times are multiples of it
  std::vector<std::pair<std::string, std::string>>
      notes;  // free lines: name, value; those of an imported file

  friend bool operator==(const TraceInfo&, const TraceInfo&) = default;
};

struct Context {
  TraceInfo info;
  std::vector<VmInfo> vms;
  std::vector<GuestProcess> processes;

  friend bool operator==(const Context&, const Context&) = default;
};

// "user", "kernel", "idle", "interrupt", "firmware", "unknown", "address space"
std::string_view name_of(ProcessKind kind);
std::string_view name_of(Confidence confidence);  // "none", "low", "high"

// 32 hexadecimal digits.
std::string id_text(const std::array<std::uint8_t, 16>& id);
// A fresh id, from the kernel's random numbers.
std::array<std::uint8_t, 16> random_id();

}  // namespace iovm::trace
