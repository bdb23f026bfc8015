// SPDX-License-Identifier: Apache-2.0
//
// The doctor's questions to the real kernel.
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "base/fd.h"
#include "record/bpf_program.h"
#include "record/doctor.h"
#include "record/kmod_device.h"

namespace iovm::record {
namespace {

// As a recording does: for all threads of a CPU. The first CPU may be offline.
int open_tracepoint(std::uint32_t id) {
  perf_event_attr attr{};
  attr.type = PERF_TYPE_TRACEPOINT;
  attr.size = sizeof attr;
  attr.config = id;
  attr.sample_period = 1;
  attr.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_RAW;
  attr.disabled = 1;
  long cpus = ::sysconf(_SC_NPROCESSORS_CONF);
  for (int cpu = 0; cpu < cpus; ++cpu) {
    UniqueFd fd(
        static_cast<int>(::syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC)));
    if (fd) return 0;
    if (errno != ENODEV) return errno;
  }
  return ENODEV;
}

int kvm_version(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd) return -errno;
  int version = ::ioctl(fd.get(), KVM_GET_API_VERSION, 0);
  return version < 0 ? -errno : version;
}

Result<std::string> load_bpf() {
  auto program = BpfProgram::load();
  if (!program) return std::move(program).error();
  return (*program)->lacks();
}

Status open_module(const std::string& path) {
  auto device = KmodDevice::open(path);
  if (!device) return std::move(device).error();
  return {};
}

}  // namespace

HostProbes real_probes() {
  return {open_tracepoint, kvm_version, load_bpf, open_module, Tracefs::mount_own};
}

}  // namespace iovm::record
