// SPDX-License-Identifier: Apache-2.0
#include "record/vm_layout.h"

#include <algorithm>

#include "base/clock.h"
#include "base/format.h"
#include "base/text.h"
#include "record/libvirt_monitor.h"
#include "record/proc_process.h"
#include "record/qmp_session.h"
#include "record/qmp_sockets.h"
#include "record/query_pci.h"

namespace iovm::record {
namespace {

constexpr std::uint64_t kPatience = 500'000'000;          // ns, for one VM
constexpr std::uint64_t kPatienceForAll = 2'000'000'000;  // ns

LayoutAnswer none(std::string why) {
  return {{}, std::move(why)};
}

// What came of asking at one place.
LayoutAnswer answer_of(Result<std::string> text, std::string_view from, std::string place) {
  if (!text) return none(format("{}: {}", place, text.error().message()));
  auto layout = parse_query_pci(*text, from);
  if (!layout) return none(format("{}: {}", place, layout.error().message()));
  std::string note = format("{} PCI functions, from {}", layout->functions.size(), place);
  return {*std::move(layout), std::move(note)};
}

}  // namespace

LayoutAnswer ask_layout(const ProcRoot& proc, const trace::VmInfo& vm, std::uint64_t deadline) {
  if (vm.vmm != "qemu") return none("only QEMU tells its PCI layout");
  auto pid = static_cast<std::int32_t>(vm.pid);
  QmpSockets sockets = qmp_sockets(ProcProcess(proc.path, pid).command_line());
  std::string why;
  auto tried = [&](LayoutAnswer answer) {
    if (!why.empty()) why += "; ";
    why += answer.note;
    return answer;
  };
  for (const std::string& path : sockets.paths) {
    LayoutAnswer answer = tried(answer_of(ask_qmp(proc.path, pid, path, "query-pci", deadline),
                                          "QMP", "QMP socket " + escape_terminal(path)));
    if (!answer.layout.from.empty()) return answer;
  }
  if (sockets.libvirt) {
    LayoutAnswer answer = tried(answer_of(
        ask_libvirt({}, vm, R"({"execute":"query-pci"})", deadline), "libvirt", "libvirt"));
    if (!answer.layout.from.empty()) return answer;
  }
  return none(why.empty() ? "its command line names no QMP socket that QEMU listens at" : why);
}

LayoutAnswer ask_layout(const ProcRoot& proc, const trace::VmInfo& vm) {
  return ask_layout(proc, vm, monotonic_ns() + kPatience);
}

void ask_layouts(const ProcRoot& proc, std::span<trace::VmInfo> vms) {
  std::uint64_t end = monotonic_ns() + kPatienceForAll;
  for (trace::VmInfo& vm : vms) {
    std::uint64_t now = monotonic_ns();
    if (now >= end) return;
    vm.pci = ask_layout(proc, vm, std::min(now + kPatience, end)).layout;
  }
}

}  // namespace iovm::record
