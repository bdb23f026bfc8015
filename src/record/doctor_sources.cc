// SPDX-License-Identifier: Apache-2.0
//
// What each source needs of the host.
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "base/format.h"
#include "base/text.h"
#include "record/doctor_checks.h"
#include "record/kvm_decoder.h"
#include "record/tracefs.h"

namespace iovm::record::doctor {
namespace {

// The tracing directory that a recording would read, or why there is none.
std::optional<Tracefs> find_tracefs(const Host& host, Checks& checks) {
  auto mounted = Tracefs::find_mounted(host.roots.sys);
  if (mounted) {
    checks.push_back({"perf", "tracefs", CheckState::ok, mounted->root(), ""});
    return std::move(*mounted);
  }
  auto own = host.probes.mount_tracefs();
  if (own) {
    checks.push_back({"perf", "tracefs", CheckState::ok,
                      "not mounted; a recording mounts it for itself alone", ""});
    return std::move(*own);
  }
  checks.push_back(
      {"perf", "tracefs", CheckState::missing, mounted.error().message(), "run as root"});
  return std::nullopt;
}

// The ids of the tracepoints that are there and decodable.
std::vector<std::uint32_t> check_tracepoints(const Tracefs& tracefs, Checks& checks) {
  KvmDecoder decoder;
  std::string there;
  for (std::string_view name : kIoTracepoints) {
    auto text = tracefs.format("kvm", name);
    auto added = text ? decoder.add_format(*text) : Result<bool>(std::move(text).error());
    if (added) {
      there += format("{}kvm:{}", there.empty() ? "" : ", ", name);
      continue;
    }
    // Without doorbells a recording still has every port and register access.
    bool needed = name != "kvm_fast_mmio";
    checks.push_back({"perf", format("kvm:{}", name),
                      needed ? CheckState::missing : CheckState::note, added.error().message(),
                      needed ? "load KVM (modprobe kvm_intel or kvm_amd)" : ""});
  }
  if (!there.empty()) checks.push_back({"perf", "tracepoints", CheckState::ok, there, ""});
  return decoder.ids();
}

Check open_check(const Host& host, int error) {
  std::string level = text_of(host.roots.proc + "/sys/kernel/perf_event_paranoid");
  Check check{"perf", "perf_event_open", CheckState::missing, std::strerror(error),
              "use another source; strace -e perf_event_open iovm doctor shows the call"};
  if (error == 0) {
    check.state = CheckState::ok;
    check.found = "KVM's tracepoints can be opened for all threads of a CPU";
    check.mend.clear();
  } else if (error == EACCES || error == EPERM) {
    check.found = format("no right to trace the kernel (kernel.perf_event_paranoid is {}{})",
                         level.empty() ? "unknown" : level,
                         has_capability(host, Capability::perfmon)
                             ? "; CAP_PERFMON is there, so a seccomp or LSM policy forbids it"
                             : ", CAP_PERFMON is not there");
    check.mend = "run as root, or with CAP_PERFMON, or: sysctl kernel.perf_event_paranoid=-1";
  } else if (error == ENOSYS) {
    check.found = "this kernel has no perf events, or a container's policy hides them";
    check.mend = "use a kernel with CONFIG_PERF_EVENTS, and run outside of the container";
  } else if (error == EMFILE) {
    check.mend = "raise ulimit -n";
  }
  return check;
}

Check btf_check(const Host& host) {
  std::string folder = host.roots.sys + "/kernel/btf/";
  // A KVM that is built in has its types in vmlinux.
  bool built_in =
      exists(host.roots.sys + "/module/kvm") && !exists(host.roots.sys + "/module/kvm/initstate");
  bool vmlinux = exists(folder + "vmlinux");
  bool kvm = exists(folder + "kvm") || built_in;
  Check check{"bpf", "btf", CheckState::ok, "types of the kernel and of kvm are there", ""};
  if (!vmlinux || !kvm) {
    check.state = CheckState::missing;
    check.found = format("{} is not there", folder + (vmlinux ? "kvm" : "vmlinux"));
    check.mend = vmlinux
                     ? "load KVM; if it is loaded, use a kernel with CONFIG_DEBUG_INFO_BTF_MODULES"
                     : "use a kernel with CONFIG_DEBUG_INFO_BTF";
  }
  return check;
}

// An error that ends with its next step in brackets, as a check.
Check check_of(std::string source, std::string name, std::string_view message) {
  Check check{std::move(source), std::move(name), CheckState::missing, std::string(message), ""};
  std::size_t at = message.rfind(" (");
  if (at == std::string_view::npos || !message.ends_with(')')) {
    check.mend = "use another source";
    return check;
  }
  check.found = message.substr(0, at);
  check.mend = message.substr(at + 2, message.size() - at - 3);
  return check;
}

// iovm.ko for the running kernel, where modprobe would find it.
std::optional<std::string> find_module(const Host& host) {
  std::string release = text_of(host.roots.proc + "/sys/kernel/osrelease");
  for (const char* folder : {"updates/dkms", "extra", "updates", "kernel/extra"}) {
    for (const char* ending : {"", ".xz", ".zst", ".gz"}) {
      std::string path = format("{}/{}/{}/iovm.ko{}", host.roots.modules, release, folder, ending);
      if (exists(path)) return path;
    }
  }
  return std::nullopt;
}

}  // namespace

void check_perf(const Host& host, Checks& checks) {
  auto tracefs = find_tracefs(host, checks);
  if (!tracefs) return;
  std::vector<std::uint32_t> ids = check_tracepoints(*tracefs, checks);
  if (!ids.empty()) checks.push_back(open_check(host, host.probes.open_tracepoint(ids.front())));
}

void check_bpf(const Host& host, Checks& checks) {
  checks.push_back(btf_check(host));
  if (checks.back().state == CheckState::missing) return;
  bool right = has_capability(host, Capability::bpf) && has_capability(host, Capability::perfmon);
  checks.push_back(
      {"bpf", "rights", right ? CheckState::ok : CheckState::missing,
       right ? "CAP_BPF and CAP_PERFMON are there" : "CAP_BPF or CAP_PERFMON is missing",
       right ? "" : "run as root, or with CAP_BPF and CAP_PERFMON"});
  if (!right) return;
  auto lacks = host.probes.load_bpf();
  if (!lacks) {
    checks.push_back(check_of("bpf", "program", lacks.error().message()));
    return;
  }
  checks.push_back(
      {"bpf", "program", CheckState::ok, "it can be loaded: this kernel's verifier takes it", ""});
  if (!lacks->empty()) {
    checks.push_back({"bpf", "registers", CheckState::note, *lacks, "use iovm.ko (--source kmod)"});
  }
}

void check_kmod(const Host& host, Checks& checks) {
  Status opened = host.probes.open_module(host.roots.dev + "/iovm");
  if (opened) {
    checks.push_back({"kmod", "module", CheckState::ok, "iovm.ko is loaded and answers", ""});
    return;
  }
  Check check{"kmod", "module", CheckState::missing, opened.error().message(), ""};
  if (exists(host.roots.dev + "/iovm")) {
    check.mend = "run as root, with the iovm.ko that belongs to this iovm";
  } else if (!exists(host.roots.proc + "/modules")) {
    check.found = "this kernel cannot load modules";
    check.mend = "use a kernel with CONFIG_MODULES, or another source";
  } else if (auto path = find_module(host)) {
    check.found = format("iovm.ko is installed ({}), but not loaded", *path);
    check.mend = "modprobe iovm";
  } else {
    check.found = "iovm.ko is not installed for this kernel";
    check.mend = "build and install it for this kernel (kmod/README.md), then: modprobe iovm";
  }
  checks.push_back(std::move(check));
  std::string lockdown = text_of(host.roots.sys + "/kernel/security/lockdown");
  if (lockdown.find("[none]") == std::string::npos && !lockdown.empty()) {
    checks.push_back({"kmod", "lockdown", CheckState::note,
                      "the kernel is locked down (Secure Boot): it takes signed modules only",
                      "sign iovm.ko with a key that the machine knows (mokutil)"});
  }
}

}  // namespace iovm::record::doctor
