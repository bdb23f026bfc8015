// SPDX-License-Identifier: Apache-2.0
#include "record/bpf_arguments.h"

#include <unistd.h>

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <string_view>

#include "base/format.h"
#include "record/kernel_types.h"

namespace iovm::record {
namespace {

struct Wanted {
  std::string_view name;
  __u8* position;
};

// Whether the tracepoint is there; an error if it is another than the one that we know. The first
// parameter of the function is the probe's own.
Result<bool> find(const KernelTypes& types, std::string_view tracepoint,
                  std::initializer_list<Wanted> wanted) {
  auto names = types.parameters(format("__traceiter_{}", tracepoint));
  if (!names) return false;
  for (const Wanted& one : wanted) {
    auto at = std::ranges::find(*names, one.name);
    if (at != names->end() && at != names->begin()) {
      *one.position = static_cast<__u8>(at - names->begin() - 1);
      continue;
    }
    return host_error(
        format("this kernel's tracepoint {} has no argument \"{}\" (use --source "
               "perf, and report the kernel's version)",
               tracepoint, one.name));
  }
  return true;
}

Result<bool> find_all(const KernelTypes& types, const std::string& path, iovm_bpf_settings& to) {
  auto pio = find(types, "kvm_pio",
                  {{"rw", &to.pio_rw},
                   {"port", &to.pio_port},
                   {"size", &to.pio_size},
                   {"count", &to.pio_count},
                   {"data", &to.pio_data}});
  if (!pio) return pio;
  auto mmio = find(types, "kvm_mmio",
                   {{"type", &to.mmio_type},
                    {"len", &to.mmio_len},
                    {"gpa", &to.mmio_gpa},
                    {"val", &to.mmio_val}});
  if (!mmio) return mmio;
  if (!*pio || !*mmio) {
    return host_error(format("{} does not name KVM's tracepoints (use --source perf)", path));
  }
  return find(types, "kvm_fast_mmio", {{"gpa", &to.fast_gpa}});
}

// What the program may do with KVM's structures. The cast knows types of the kernel itself only.
void find_structures(const KernelTypes& kernel, bool amd_module, iovm_bpf_settings& to) {
  to.direct = kernel.has_function("bpf_rdonly_cast") && kernel.has_struct("kvm_vcpu") &&
              (to.pvm == 0 || kernel.has_struct("vcpu_pvm"));
  to.direct_vmcb = to.direct != 0 && to.svm != 0 && kernel.has_struct("vmcb");
  to.no_vmcb = to.svm != 0 && !amd_module && !kernel.has_struct("vcpu_svm");
}

Error no_types(const std::string& path, std::string_view next_step) {
  return host_error(format("{} is not there ({})", path, next_step));
}

bool readable(const std::string& path) {
  return ::access(path.c_str(), R_OK) == 0;
}

}  // namespace

Result<bool> find_arguments(const std::string& folder, iovm_bpf_settings& to) {
  std::string path = folder + "/vmlinux";
  if (!readable(path)) return no_types(path, "use a kernel with CONFIG_DEBUG_INFO_BTF");
  auto kernel = KernelTypes::read(path);
  if (!kernel) return std::move(kernel).error();
  find_structures(*kernel, readable(folder + "/kvm_amd"), to);
  if (kernel->has_function("__traceiter_kvm_pio")) return find_all(*kernel, path, to);

  path = folder + "/kvm";
  if (!readable(path)) {
    return no_types(path,
                    "load KVM (modprobe kvm_intel or kvm_amd); if it is loaded, use a kernel with "
                    "CONFIG_DEBUG_INFO_BTF_MODULES");
  }
  auto module = KernelTypes::read(path, *kernel);
  if (!module) return std::move(module).error();
  return find_all(*module, path, to);
}

}  // namespace iovm::record
