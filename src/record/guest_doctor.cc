// SPDX-License-Identifier: Apache-2.0
#include "record/guest_doctor.h"

#include <algorithm>

#include "base/format.h"
#include "base/text.h"
#include "record/guest_finder.h"

namespace iovm::record {
namespace {

// What helps, by the first check that failed.
std::string next_step_for(const GuestCheck& failed) {
  if (failed.name == "VMCOREINFO")
    return "try again when the guest has booted; of a guest that is no Linux a recording tells "
           "address spaces apart (cr3:0x...) and no processes";
  if (failed.name == "types")
    return "use a guest kernel with CONFIG_DEBUG_INFO_BTF (Debian, Ubuntu, Fedora, RHEL have it)";
  if (failed.name == "page tables" || failed.name == "RAM" || failed.name == "memory map")
    return "try again when the guest has booted; if this stays, its VMM arranges RAM in a way that "
           "iovm does not know, and a recording tells address spaces apart (cr3:0x...) and no "
           "processes";
  return "try again when the guest has booted";
}

}  // namespace

Result<GuestDiagnosis> diagnose_guest(const std::string& proc_root, pid_t vmm,
                                      std::uint64_t memory_size, const std::string& profile) {
  auto start = std::chrono::steady_clock::now();
  SearchLimits limits;
  limits.stop = [start] {
    return std::chrono::steady_clock::now() > start + GuestFinder::kLongest;
  };
  auto found = find_guest(proc_root, vmm, memory_size, profile, limits);
  if (!found) return std::move(found).error();
  GuestDiagnosis diagnosis;
  diagnosis.took = std::chrono::steady_clock::now() - start;
  diagnosis.checks = found->search.checks;
  const GuestKernel* kernel = found->search.kernel.get();
  diagnosis.resolvable = kernel != nullptr;
  if (kernel != nullptr) {
    diagnosis.summary =
        describe_kernel(*kernel) + (kernel->cpus().empty()
                                        ? ": its processes can be named by their page tables alone"
                                        : ": its processes can be named");
    return diagnosis;
  }
  diagnosis.summary = "its processes cannot be named: " + found->search.why_not;
  auto failed =
      std::find_if(diagnosis.checks.begin(), diagnosis.checks.end(),
                   [](const GuestCheck& c) { return c.state == GuestCheckState::failed; });
  if (failed != diagnosis.checks.end()) diagnosis.next_step = next_step_for(*failed);
  return diagnosis;
}

}  // namespace iovm::record
