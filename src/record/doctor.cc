// SPDX-License-Identifier: Apache-2.0
#include "record/doctor.h"

#include <unistd.h>

#include <algorithm>

#include "base/fd.h"
#include "base/text.h"
#include "record/doctor_checks.h"

namespace iovm::record {
namespace doctor {

std::string text_of(const std::string& path) {
  auto content = read_file(path, 1U << 20);
  return content ? std::string(trim(*content)) : std::string();
}

bool exists(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

bool has_capability(const Host& host, Capability capability) {
  std::string status = text_of(host.roots.proc + "/self/status");
  for (std::string_view line : split(status, '\n')) {
    if (!line.starts_with("CapEff:")) continue;
    auto set = parse_unsigned("0x" + std::string(trim(line.substr(7)))).value_or(0);
    auto has = [&](Capability c) { return (set >> static_cast<unsigned>(c) & 1) != 0; };
    return has(capability) || (capability != Capability::sys_ptrace && has(Capability::sys_admin));
  }
  return false;
}

}  // namespace doctor

std::string_view name_of(CheckState state) {
  switch (state) {
    case CheckState::ok:
      return "ok";
    case CheckState::missing:
      return "missing";
    case CheckState::note:
      break;
  }
  return "note";
}

bool Diagnosis::works() const {
  return std::any_of(sources.begin(), sources.end(),
                     [](const SourceVerdict& verdict) { return verdict.works; });
}

Diagnosis diagnose(const HostRoots& roots, const HostProbes& probes) {
  doctor::Host host{roots, probes};
  Diagnosis diagnosis;
  doctor::check_kvm(host, diagnosis.checks);
  doctor::check_rights(host, diagnosis.checks);
  doctor::check_perf(host, diagnosis.checks);
  doctor::check_bpf(host, diagnosis.checks);
  doctor::check_kmod(host, diagnosis.checks);
  for (const char* source : {"perf", "bpf", "kmod"}) {
    // What the host lacks, every source lacks.
    bool works =
        std::none_of(diagnosis.checks.begin(), diagnosis.checks.end(), [&](const Check& check) {
          return check.state == CheckState::missing &&
                 (check.source == source || check.source == "host");
        });
    diagnosis.sources.push_back({source, works});
  }
  return diagnosis;
}

Result<Diagnosis> diagnose(const HostRoots& roots, const HostProbes& probes,
                           std::string_view vm_name) {
  auto vms = find_vms({roots.proc}, vm_name);
  if (!vms) return std::move(vms).error();
  Diagnosis diagnosis = diagnose(roots, probes);
  for (const Vm& vm : *vms) {
    doctor::check_vm(vm, diagnosis.checks);
    doctor::check_layout({roots, probes}, vm, diagnosis.checks);
    diagnosis.guest = doctor::check_guest({roots, probes}, vm, diagnosis.checks);
  }
  return diagnosis;
}

}  // namespace iovm::record
