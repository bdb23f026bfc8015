// SPDX-License-Identifier: Apache-2.0
//
// libvirt's names for the VMs of this host, for the VMs whose command line tells none. libvirt is
// never needed: its library is loaded at run time if it is there, spoken to over a read-only
// connection, and whatever fails (no library, no daemon, no right) just means no names. QEMU under
// libvirt carries name and UUID on its own command line, so for most hosts this adds nothing, and
// it is asked only when the command line left a name open or a wanted name was not found.
//
// A domain's pid comes from the .pid file that libvirt's driver keeps in its run directory: the API
// does not give it away.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace iovm::record {

struct LibvirtDomain {
  std::string name;
  std::string uuid;
  std::int64_t pid = -1;  // -1: its pid file is not readable
};

// The running domains of a connection ("qemu:///system"); empty where there is nothing to ask.
std::vector<LibvirtDomain> libvirt_domains(const std::string& uri,
                                           const std::string& run_directory);

}  // namespace iovm::record
