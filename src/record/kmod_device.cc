// SPDX-License-Identifier: Apache-2.0
#include "record/kmod_device.h"

#include <fcntl.h>
#include <sys/ioctl.h>

#include <cerrno>

#include "base/format.h"

namespace iovm::record {
namespace {

Error no_device(const std::string& path, int error) {
  if (error == ENOENT || error == ENXIO || error == ENODEV) {
    return host_error(
        format("{}: the module iovm is not loaded (modprobe iovm; kmod/README.md "
               "tells how to build it)",
               path));
  }
  if (error == EACCES || error == EPERM) {
    return host_error(format("{}: only root may record with iovm.ko (use sudo)", path));
  }
  return errno_error("opening " + path, error);
}

Error no_vm(std::int32_t pid, int error) {
  if (error == EBUSY) {
    return host_error(
        format("VM of pid {}: another iovm is recording it with iovm.ko, which takes one reader a "
               "VM (stop that one, or use --source perf)",
               pid));
  }
  return errno_error(format("VM of pid {}: adding it to iovm.ko's session", pid), error);
}

}  // namespace

Result<std::unique_ptr<KmodDevice>> KmodDevice::open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd) return no_device(path, errno);
  iovm_hello hello = {IOVM_ABI_VERSION, 0};
  if (::ioctl(fd.get(), IOVM_IOC_HELLO, &hello) != 0) {
    if (errno != EPROTO) return errno_error(path + ": asking iovm.ko for its version");
    return host_error(
        format("{}: the loaded iovm.ko speaks ABI {}, this iovm {} (build and load "
               "the module that belongs to this iovm)",
               path, hello.abi, static_cast<int>(IOVM_ABI_VERSION)));
  }
  return std::unique_ptr<KmodDevice>(new KmodDevice(std::move(fd), hello.features));
}

Status KmodDevice::add_vm(std::int32_t pid) {
  auto tgid = static_cast<std::uint32_t>(pid);
  if (::ioctl(fd_.get(), IOVM_IOC_ADD_VM, &tgid) == 0) return {};
  if (errno == ESRCH) return {};
  return no_vm(pid, errno);
}

Status KmodDevice::add_all_vms() {
  if (::ioctl(fd_.get(), IOVM_IOC_ALL_VMS) == 0) return {};
  if (errno != EBUSY) return errno_error("asking iovm.ko for all VMs");
  return host_error(
      "another iovm is recording all VMs with iovm.ko, or waits for one (stop that one, or use "
      "--source perf)");
}

Status KmodDevice::set_slot(const iovm_slot& slot) {
  if (::ioctl(fd_.get(), IOVM_IOC_SLOT, &slot) == 0) return {};
  return errno_error(format("VM of pid {}: telling iovm.ko where a vCPU's task is", slot.tgid));
}

Status KmodDevice::set_guest(const iovm_guest& guest) {
  if (::ioctl(fd_.get(), IOVM_IOC_GUEST, &guest) == 0) return {};
  return errno_error(format("VM of pid {}: telling iovm.ko how to read its tasks", guest.tgid));
}

Result<std::vector<RecordRing>> KmodDevice::start(std::uint32_t slots, std::uint32_t wake_ms) {
  iovm_start geometry = {slots, wake_ms, 0, 0};
  if (::ioctl(fd_.get(), IOVM_IOC_START, &geometry) != 0) {
    if (errno != ENOMEM) return errno_error("starting iovm.ko");
    return host_error("iovm.ko: no memory for the rings (use a smaller --buffer)");
  }
  std::vector<RecordRing> rings;
  for (std::uint32_t i = 0; i < geometry.rings; ++i) {
    auto ring = RecordRing::map_kmod(fd_.get(), std::uint64_t{i} * geometry.ring_bytes,
                                     geometry.ring_bytes);
    if (!ring) return std::move(ring).error();
    rings.push_back(std::move(*ring));
  }
  return rings;
}

Status KmodDevice::stop() {
  if (::ioctl(fd_.get(), IOVM_IOC_STOP) != 0) return errno_error("stopping iovm.ko");
  return {};
}

Result<unsigned> KmodDevice::flush() {
  int left = ::ioctl(fd_.get(), IOVM_IOC_FLUSH);
  if (left < 0) return errno_error("asking iovm.ko for what it lost");
  return static_cast<unsigned>(left);
}

Result<RingSession::Totals> KmodDevice::totals() {
  iovm_counters counters = {};
  if (::ioctl(fd_.get(), IOVM_IOC_COUNTERS, &counters) != 0) {
    return errno_error("asking iovm.ko for its counters");
  }
  Totals totals;
  totals.records = counters.records;
  for (std::uint64_t dropped : counters.dropped) totals.dropped += dropped;
  return totals;
}

}  // namespace iovm::record
