// SPDX-License-Identifier: Apache-2.0
//
// Whether the processes of a VM's guest can be named: the search of a recording, step by step.
#include "record/doctor_checks.h"
#include "record/guest_doctor.h"
#include "record/guest_profile_file.h"

namespace iovm::record::doctor {
namespace {

Check check_of(const GuestCheck& step) {
  switch (step.state) {
    case GuestCheckState::ok:
      return {"guest", step.name, CheckState::ok, step.detail, ""};
    case GuestCheckState::note:
      return {"guest", step.name, CheckState::note, step.detail, ""};
    case GuestCheckState::failed:
      return {"guest", step.name, CheckState::missing, step.detail, ""};
    case GuestCheckState::not_reached:
      break;
  }
  return {"guest", step.name, CheckState::note, "not looked at, for what is missing above", ""};
}

}  // namespace

GuestVerdict check_guest(const Host& host, const Vm& vm, Checks& checks) {
  auto diagnosis =
      diagnose_guest(host.roots.proc, static_cast<pid_t>(vm.info.pid), vm.info.memory,
                     profile_path(host.roots.guest_profiles, host.roots.proc, vm.info));
  if (!diagnosis) {
    std::string why = diagnosis.error().message();
    checks.push_back({"guest", "memory", CheckState::missing, why,
                      "run as root, or with CAP_SYS_PTRACE, while the VM runs"});
    return {false, why, {}};
  }
  for (const GuestCheck& step : diagnosis->checks) {
    Check check = check_of(step);
    if (check.state == CheckState::missing) check.mend = diagnosis->next_step;
    checks.push_back(std::move(check));
  }
  return {diagnosis->resolvable, diagnosis->summary, diagnosis->took};
}

}  // namespace iovm::record::doctor
