// SPDX-License-Identifier: Apache-2.0
//
// Is there a KVM, and may its VMs be found.
#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/format.h"
#include "base/text.h"
#include "record/doctor_checks.h"
#include "record/vm_layout.h"

namespace iovm::record::doctor {
namespace {

// Whether one of the CPU's flags is that.
bool has_flag(std::string_view cpuinfo, std::string_view flag) {
  std::size_t at = cpuinfo.find("\nflags");
  if (at == std::string_view::npos) return false;
  std::string_view line = cpuinfo.substr(at + 1);
  line = line.substr(0, line.find('\n'));
  std::vector<std::string_view> words = split(line, ' ');
  return std::find(words.begin(), words.end(), flag) != words.end();
}

// Whether KVM has registered its device, wherever the node may be: "232 kvm" in /proc/misc.
bool is_registered(const Host& host) {
  std::string misc = text_of(host.roots.proc + "/misc");
  for (std::string_view line : split(misc, '\n')) {
    if (trim(line).ends_with(" kvm")) return true;
  }
  return false;
}

std::string loaded_modules(const Host& host) {
  std::string names;
  for (const char* name : {"kvm_intel", "kvm_amd", "kvm_pvm"}) {
    if (exists(host.roots.sys + "/module/" + name))
      names += (names.empty() ? "" : ", ") + std::string(name);
  }
  return names;
}

// Why KVM is not there, from what the CPU says.
Check no_kvm(const Host& host) {
  Check check{"host", "kvm", CheckState::missing, "", ""};
  std::string cpuinfo = text_of(host.roots.proc + "/cpuinfo");
  if (has_flag(cpuinfo, "vmx")) {
    check.found = "the CPU has VT-x, but kvm_intel is not loaded";
    check.mend = "modprobe kvm_intel";
  } else if (has_flag(cpuinfo, "svm")) {
    check.found = "the CPU has AMD-V, but kvm_amd is not loaded";
    check.mend = "modprobe kvm_amd";
  } else if (has_flag(cpuinfo, "hypervisor")) {
    check.found = "this machine is itself a VM, without nested virtualization";
    check.mend =
        "on its host: load kvm_intel or kvm_amd with nested=1 and give this VM the host's CPU "
        "model (QEMU: -cpu host)";
  } else {
    check.found = "the CPU has no virtualization, or the firmware has it switched off";
    check.mend = "switch on VT-x or AMD-V (SVM) in the firmware's setup";
  }
  return check;
}

std::string node_text(const Host& host) {
  std::string path = host.roots.dev + "/kvm";
  int answer = host.probes.kvm_version(path);
  if (answer >= 0) return format("{} answers (API {})", path, answer);
  if (answer == -ENOENT) return format("{} is not here, so no VM can be started from here", path);
  return format("{}: {}, so this user cannot start VMs", path, std::strerror(-answer));
}

}  // namespace

void check_kvm(const Host& host, Checks& checks) {
  if (!is_registered(host)) {
    checks.push_back(no_kvm(host));
    return;
  }
  std::string modules = loaded_modules(host);
  checks.push_back({"host", "kvm", CheckState::ok,
                    format("{}{}{}", modules, modules.empty() ? "" : "; ", node_text(host)), ""});
}

void check_rights(const Host& host, Checks& checks) {
  Check check{"host", "processes", CheckState::ok, "the processes of all users can be looked into",
              ""};
  if (!has_capability(host, Capability::sys_ptrace)) {
    check.state = CheckState::note;
    check.found = "only this user's processes can be looked into: other VMs are not found";
    check.mend = "run as root, or with CAP_SYS_PTRACE";
  }
  checks.push_back(std::move(check));
}

void check_vm(const Vm& vm, Checks& checks) {
  std::string who = vm.info.name.empty() ? format("pid {}", vm.info.pid) : vm.info.name;
  checks.push_back({"vm", "found", CheckState::ok,
                    format("{} ({}, pid {}, {} vCPUs, {})", who, vm.info.vmm, vm.info.pid,
                           vm.info.vcpus, describe_size(vm.info.memory)),
                    ""});
  auto known = std::count_if(vm.vcpus.begin(), vm.vcpus.end(),
                             [](const Vcpu& vcpu) { return vcpu.tid >= 0; });
  Check threads{"vm", "vcpu threads", CheckState::ok,
                format("{} of {} are known", known, vm.vcpus.size()), ""};
  if (static_cast<std::size_t>(known) < vm.vcpus.size()) {
    threads.state = CheckState::note;
    threads.found += "; events of the others are recorded, but without their vCPU until it halts";
    threads.mend = "for QEMU: -name NAME,debug-threads=on";
  }
  if (vm.vcpus.empty()) {
    threads.state = CheckState::note;
    threads.found = "it has no vCPUs yet";
  }
  checks.push_back(std::move(threads));
}

void check_layout(const Host& host, const Vm& vm, Checks& checks) {
  LayoutAnswer answer = ask_layout({host.roots.proc}, vm.info);
  if (!answer.layout.from.empty()) {
    checks.push_back({"vm", "pci layout", CheckState::ok, answer.note, ""});
    return;
  }
  checks.push_back({"vm", "pci layout", CheckState::note,
                    answer.note + "; devices have names as far as the recording sees them set up",
                    vm.info.vmm == "qemu" ? "for QEMU: -qmp unix:PATH,server=on,wait=off, with "
                                            "nobody connected when iovm attaches"
                                          : ""});
}

}  // namespace iovm::record::doctor
