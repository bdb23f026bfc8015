// SPDX-License-Identifier: Apache-2.0
#include "record/tracefs.h"

#include <sys/mount.h>
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
  auto mounted = find_mounted();
  if (mounted) return mounted;
  auto own = mount_own();
  return own ? std::move(own) : std::move(mounted);  // which tells what the user can do
}

Result<Tracefs> Tracefs::find_mounted(const std::string& sys) {
  bool denied = false;
  for (const char* place : {"/kernel/tracing", "/kernel/debug/tracing"}) {
    std::string root = sys + place;
    if (::access((root + "/events").c_str(), R_OK | X_OK) == 0) return Tracefs(root);
    denied = denied || errno == EACCES;
  }
  if (denied) {
    return host_error(iovm::format(
        "no right to read {0}/kernel/tracing (run as root, or give read access to it: mount -o "
        "remount,gid=GROUP,mode=750 {0}/kernel/tracing)",
        sys));
  }
  return host_error(
      iovm::format("the kernel's tracing directory is not there (run as root, or: mount -t tracefs "
                   "nodev {}/kernel/tracing)",
                   sys));
}

Result<Tracefs> Tracefs::mount_own() {
  UniqueFd type(::fsopen("tracefs", FSOPEN_CLOEXEC));
  if (!type) return errno_error("mounting a tracing directory of our own");
  if (::fsconfig(type.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    return errno_error("making a tracing directory of our own");
  }
  auto mount = std::make_shared<const UniqueFd>(::fsmount(type.get(), FSMOUNT_CLOEXEC, 0));
  if (!*mount) return errno_error("mounting a tracing directory of our own");
  Tracefs own(iovm::format("/proc/self/fd/{}", mount->get()));
  own.own_ = std::move(mount);
  return own;
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
