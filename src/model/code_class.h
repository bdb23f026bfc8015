// SPDX-License-Identifier: Apache-2.0
//
// Who acts, apart from what is done: the class of the code that did an access, by its privilege
// level and instruction pointer. Of millions of accesses of running kernels none came from user
// space, so this is the cheapest sign of a process that drives a device by itself.
//
// Where the privilege level was not recorded, the address of the code says it: the lower half is
// user space on every 64-bit kernel, but firmware runs there too, so only after a kernel has been
// seen and with paging on (a CR3 of 0 tells of a reset). One CodeWatch watches one VM.
#pragma once

#include <cstdint>
#include <string_view>

#include "trace/event.h"

namespace iovm::model {

// Where the code lies. (Symbols have Mark::user for what user space does.)
enum class CodeClass : std::uint8_t {
  unrecorded,  // no instruction pointer
  user,        // ring 3, or where a kernel has its user space
  kernel,      // the text of a Linux kernel
  module,      // where Linux puts its modules
  other,       // elsewhere in the kernel's half of memory: another kernel, or code made at run time
  firmware,    // below, before a kernel has run or with its privileges
};
inline constexpr int kCodeClasses = 6;
std::string_view name_of(CodeClass code);  // "unrecorded", "user", ...

inline constexpr std::uint64_t kFirstKernelAddress = 0xffff800000000000;

// Of an address in the kernel's half of memory: kernel, module or other.
inline CodeClass kernel_code(std::uint64_t rip) {
  // Linux on x86-64: its text, with all that KASLR may add, and its modules.
  constexpr std::uint64_t kText = 0xffffffff80000000;
  constexpr std::uint64_t kModules = 0xffffffffc0000000;
  constexpr std::uint64_t kModulesEnd = 0xffffffffff000000;
  if (rip < kText || rip >= kModulesEnd) return CodeClass::other;
  return rip < kModules ? CodeClass::kernel : CodeClass::module;
}

class CodeWatch {
 public:
  CodeClass operator()(const trace::Event& event) {
    if (event.has(trace::Field::cpl) && event.cpl == 3) return CodeClass::user;
    if (event.rip < kFirstKernelAddress) return below(event);
    kernel_seen_ = true;
    return kernel_code(event.rip);
  }

 private:
  CodeClass below(const trace::Event& event) {
    if (event.rip == 0) return CodeClass::unrecorded;
    if (event.has(trace::Field::cpl) || !event.has(trace::Field::cr3)) return CodeClass::firmware;
    if (event.cr3 == 0) kernel_seen_ = false;
    return kernel_seen_ ? CodeClass::user : CodeClass::firmware;
  }

  bool kernel_seen_ = false;  // a 64-bit kernel has run since the last reset
};

}  // namespace iovm::model
