// SPDX-License-Identifier: Apache-2.0
//
// The PCI layout of a running VM, asked of its VMM when a recording attaches: of QEMU over a QMP
// socket that is free (qmp_session.h), or through libvirt where it holds the only one. Nothing but
// query-pci is asked. A VM that appears while a recording waits for it needs none of this: its own
// configuration traffic is in the recording.
//
// No layout is no failure: devices then have their names as far as the traffic tells.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "record/vm.h"
#include "trace/context.h"
#include "trace/pci_layout.h"

namespace iovm::record {

struct LayoutAnswer {
  trace::PciLayout layout;  // `from` is empty: there is none
  std::string note;         // where it is from, or why there is none
};

// Returns by `deadline` (ns, monotonic) and a little.
LayoutAnswer ask_layout(const ProcRoot& proc, const trace::VmInfo& vm, std::uint64_t deadline);
LayoutAnswer ask_layout(const ProcRoot& proc, const trace::VmInfo& vm);  // half a second

// Asks for all of them, for two seconds at the most.
void ask_layouts(const ProcRoot& proc, std::span<trace::VmInfo> vms);

}  // namespace iovm::record
