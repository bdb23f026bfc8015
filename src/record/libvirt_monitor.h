// SPDX-License-Identifier: Apache-2.0
//
// A QMP command to a VM that libvirt manages, through libvirt: it holds the VM's only monitor.
// virDomainQemuMonitorCommand is in a library of its own (libvirt-qemu), wants a connection that
// may write, and libvirt notes in its log that a monitor was used ("custom-monitor"); the command
// itself is up to the caller, who asks and changes nothing.
//
// libvirt may hang with its VM or its daemon, and a call into it cannot be broken off. So a child
// process makes it, writes the answer into a pipe, and is killed at the deadline.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "trace/context.h"

namespace iovm::record {

// What is loaded and asked; tests have their own.
struct LibvirtPlace {
  std::string library = "libvirt.so.0";
  std::string qemu_library = "libvirt-qemu.so.0";
  std::string uri = "qemu:///system";
};

// The answer, JSON text, of the domain that has the VM's UUID and, where libvirt has none by that,
// its name.
Result<std::string> ask_libvirt(const LibvirtPlace& place, const trace::VmInfo& vm,
                                std::string_view command, std::uint64_t deadline);

}  // namespace iovm::record
