// SPDX-License-Identifier: Apache-2.0
#include "record/vm.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>

#include "base/format.h"
#include "base/text.h"
#include "record/libvirt_names.h"
#include "record/proc_process.h"
#include "record/vm_identity.h"
#include "record/vm_threads.h"

namespace iovm::record {
namespace {

constexpr std::size_t kNamesInAnError = 10;

// What KVM has open in one process. Kernels before 4.12 do not number the vCPUs' descriptors; there
// they are created in order.
struct KvmDescriptors {
  bool vm = false;
  std::map<std::uint16_t, int> vcpus;  // vCPU id -> descriptor
  std::uint16_t unnumbered = 0;
};

KvmDescriptors kvm_descriptors(const std::vector<Descriptor>& descriptors) {
  KvmDescriptors kvm;
  for (const Descriptor& descriptor : descriptors) {
    if (descriptor.target == "anon_inode:kvm-vm") {
      kvm.vm = true;
    } else if (auto id = vcpu_of_target(descriptor.target)) {
      kvm.vcpus.emplace(*id, descriptor.number);  // of duplicates the lowest, as the VMM opened it
    } else if (descriptor.target == "anon_inode:kvm-vcpu") {
      kvm.vcpus.emplace(kvm.unnumbered++, descriptor.number);
    }
  }
  return kvm;
}

Vm describe(const ProcProcess& process, const KvmDescriptors& kvm) {
  Vm vm;
  std::vector<std::string> words = process.command_line();
  VmIdentity identity = identify_vm(process.executable(), words, process.comm());
  vm.info.name = std::move(identity.name);
  vm.info.uuid = std::move(identity.uuid);
  vm.info.vmm = std::move(identity.vmm);
  vm.info.pid = process.pid();
  vm.info.vcpus = static_cast<std::uint32_t>(kvm.vcpus.size());
  vm.info.memory = identity.memory != 0 ? identity.memory : process.largest_mapping();
  std::vector<int> fd_of;
  for (auto [id, fd] : kvm.vcpus) {
    vm.vcpus.push_back({id, -1});
    fd_of.push_back(fd);
  }
  match_threads(vm.vcpus, fd_of, vcpu_threads(process));
  return vm;
}

// A VMM's helper processes (crosvm's device jails) hold copies of its VM descriptor, but no vCPUs.
bool is_helper(const ProcRoot& proc, const ProcProcess& process, const KvmDescriptors& kvm) {
  if (!kvm.vcpus.empty()) return false;
  std::int32_t parent = process.parent();
  if (parent <= 0) return false;
  auto descriptors = ProcProcess(proc.path, parent).descriptors();
  return descriptors && kvm_descriptors(*descriptors).vm;
}

void add_libvirt_names(std::vector<Vm>& vms) {
  for (const LibvirtDomain& domain : libvirt_domains("qemu:///system", "/run/libvirt/qemu")) {
    for (Vm& vm : vms) {
      bool same = domain.pid >= 0 ? vm.info.pid == domain.pid
                                  : !domain.uuid.empty() && vm.info.uuid == domain.uuid;
      if (!same) continue;
      if (vm.info.name.empty()) vm.info.name = domain.name;
      if (vm.info.uuid.empty()) vm.info.uuid = domain.uuid;
    }
  }
}

bool is_nameless(const Vm& vm) {
  return vm.info.name.empty();
}

// Only the host's own /proc belongs to the host's libvirt.
bool is_this_host(const ProcRoot& proc) {
  return proc.path == ProcRoot().path;
}

bool same_uuid(std::string_view a, std::string_view b) {
  auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
  return !a.empty() && std::equal(a.begin(), a.end(), b.begin(), b.end(),
                                  [&](char x, char y) { return lower(x) == lower(y); });
}

std::vector<Vm> matching(const std::vector<Vm>& vms, std::string_view wanted) {
  if (wanted == "all") return vms;
  auto pid = parse_signed(wanted);
  std::vector<Vm> found;
  auto take_if = [&](auto condition) {
    if (found.empty()) std::copy_if(vms.begin(), vms.end(), std::back_inserter(found), condition);
  };
  // In this order, so that nobody can hide another VM by being named as its pid.
  if (pid) take_if([&](const Vm& vm) { return vm.info.pid == *pid; });
  take_if([&](const Vm& vm) { return same_uuid(vm.info.uuid, wanted); });
  take_if([&](const Vm& vm) { return !wanted.empty() && vm.info.name == wanted; });
  return found;
}

std::string place(std::string_view wanted) {
  return format("vm \"{}\"", escape_terminal(wanted));
}

std::string called(const Vm& vm) {
  return is_nameless(vm) ? format("pid {}", vm.info.pid) : escape_terminal(vm.info.name);
}

std::string names_of(const std::vector<Vm>& vms) {
  std::string names;
  for (std::size_t i = 0; i < vms.size() && i < kNamesInAnError; ++i) {
    names += (i == 0 ? "" : ", ") + called(vms[i]);
  }
  if (vms.size() > kNamesInAnError) names += ", ...";
  return names;
}

// A VM that is not there is the user's to mend, unless this user may not see all of them.
Error not_found(const VmList& list, std::string_view wanted) {
  std::string seen = list.vms.empty() ? std::string("none found")
                                      : format("{} found: {}", list.vms.size(), names_of(list.vms));
  std::string why = wanted == "all"        ? "no VM is running"
                    : parse_signed(wanted) ? "no running VM has that pid or name"
                    : list.vms.empty()     ? "no VM is running"
                                           : "no running VM has that name";
  if (list.unreadable == 0)
    return usage_error(format("{}: {} ({}; see iovm list)", place(wanted), why, seen));
  return host_error(format("{}: {} ({}; {} processes could not be looked into: run as root)",
                           place(wanted), why, seen, list.unreadable));
}

Error ambiguous(const std::vector<Vm>& vms, std::string_view wanted) {
  std::string pids;
  for (std::size_t i = 0; i < vms.size() && i < kNamesInAnError; ++i) {
    pids += format("{}{}", i == 0 ? "" : ", ", vms[i].info.pid);
  }
  if (vms.size() > kNamesInAnError) pids += ", ...";
  return usage_error(format("{}: {} running VMs have that name (pids {}); name one by its pid",
                            place(wanted), vms.size(), pids));
}

}  // namespace

Result<VmList> list_vms(const ProcRoot& proc) {
  auto pids = list_pids(proc.path);
  if (!pids) return errno_error(format("{} (is it mounted? mount -t proc proc /proc)", proc.path));
  VmList list;
  for (std::int32_t pid : *pids) {
    ProcProcess process(proc.path, pid);
    auto descriptors = process.descriptors();
    if (!descriptors) {
      // Kernel threads have no command line, and no VM either.
      if (!process.command_line().empty()) ++list.unreadable;
      continue;
    }
    KvmDescriptors kvm = kvm_descriptors(*descriptors);
    if (kvm.vm && !is_helper(proc, process, kvm)) list.vms.push_back(describe(process, kvm));
  }
  if (is_this_host(proc) && std::any_of(list.vms.begin(), list.vms.end(), is_nameless))
    add_libvirt_names(list.vms);
  return list;
}

Result<std::vector<Vm>> find_vms(const ProcRoot& proc, std::string_view wanted) {
  auto list = list_vms(proc);
  if (!list) return std::move(list).error().in(place(wanted));
  std::vector<Vm> found = matching(list->vms, wanted);
  if (found.empty()) return not_found(*list, wanted);
  if (found.size() > 1 && wanted != "all") return ambiguous(found, wanted);
  return found;
}

}  // namespace iovm::record
