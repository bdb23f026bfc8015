// SPDX-License-Identifier: Apache-2.0
//
// Where a QEMU listens for QMP, by its command line: -qmp and -qmp-pretty with a unix socket, and
// -mon with mode=control over a -chardev socket. Human monitors (-monitor, mode=readline), sockets
// that QEMU opens as a client, and TCP are not for us. libvirt's own monitor (its chardev is called
// charmonitor) belongs to libvirt and is never touched: whoever wants to ask there asks libvirt.
//
// A pure function of the words, which the VMM can rewrite: nothing is believed of a path but that
// it may be tried.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace iovm::record {

struct QmpSockets {
  std::vector<std::string> paths;  // in the order of the command line, at most kMostQmpSockets
  bool libvirt = false;            // libvirt has a monitor of its own there
};
inline constexpr std::size_t kMostQmpSockets = 4;

QmpSockets qmp_sockets(std::span<const std::string> words);

}  // namespace iovm::record
