// SPDX-License-Identifier: Apache-2.0
#include "record/tracefs.h"

#include <unistd.h>

#include <cerrno>

#include "base/fd.h"
#include "base/format.h"

namespace iovm::record {
namespace {

constexpr std::size_t kFormatLimit = 64U << 10;

std::string format_path(const std::string& root, std::string_view system, std::string_view name) {
  return iovm::format("{}/events/{}/{}/format", root, system, name);
}

}  // namespace

Result<Tracefs> Tracefs::find() {
  bool denied = false;
  for (const char* root : {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"}) {
    std::string events = std::string(root) + "/events";
    if (::access(events.c_str(), R_OK | X_OK) == 0) return Tracefs(root);
    denied = denied || errno == EACCES;
  }
  if (denied) {
    return host_error(
        "no right to read /sys/kernel/tracing (run as root, or give read access to it: mount -o "
        "remount,gid=GROUP,mode=750 /sys/kernel/tracing)");
  }
  return host_error(
      "the kernel's tracing directory is not there (mount -t tracefs nodev /sys/kernel/tracing)");
}

Result<std::string> Tracefs::format(std::string_view system, std::string_view name) const {
  std::string path = format_path(root_, system, name);
  if (::access(path.c_str(), R_OK) != 0) {
    if (errno != ENOENT) return errno_error(iovm::format("reading {}", path));
    std::string folder = iovm::format("{}/events/{}", root_, system);
    if (system == "kvm" && ::access(folder.c_str(), F_OK) != 0) {
      return host_error(iovm::format(
          "the kernel has no kvm tracepoints ({} is not there): load KVM (modprobe kvm_intel or "
          "kvm_amd) or use a kernel built with it",
          folder));
    }
    return host_error(iovm::format("the kernel has no tracepoint {}:{}", system, name));
  }
  return read_file(path, kFormatLimit);
}

bool Tracefs::has(std::string_view system, std::string_view name) const {
  return ::access(format_path(root_, system, name).c_str(), R_OK) == 0;
}

}  // namespace iovm::record
