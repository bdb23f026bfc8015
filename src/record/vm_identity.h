// SPDX-License-Identifier: Apache-2.0
//
// Who a VM is, by the command line of its VMM: which VMM it is, the VM's name, UUID and memory.
// Each VMM says it in its own options; one small reader per VMM knows them, and a VMM that nobody
// here knows is called by its executable's name. A pure function of the words, so every syntax is
// a line of a test.
//
// The words belong to the VMM, and an attacker who escaped into it can rewrite them. They are taken
// as they are (raw bytes; renderers escape), cut to a bounded length, and decide nothing but how
// the VM is called.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace iovm::record {

struct VmIdentity {
  std::string vmm;           // "qemu", "cloud-hypervisor", "firecracker", "crosvm", "kvmtool", ...
  std::string name;          // empty: the command line gives none
  std::string uuid;          // lower case; empty: none
  std::uint64_t memory = 0;  // bytes; 0 unknown

  friend bool operator==(const VmIdentity&, const VmIdentity&) = default;
};

// `executable` is the path of the program (may be empty), `words` its argv with argv[0], `comm` the
// last resort for what it is called.
VmIdentity identify_vm(std::string_view executable, std::span<const std::string> words,
                       std::string_view comm);

}  // namespace iovm::record
