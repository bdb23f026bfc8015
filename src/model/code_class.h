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

class CodeWatch {
 public:
  CodeClass operator()(const trace::Event& event) {
    if (event.rip == 0 && !event.has(trace::Field::cpl)) return CodeClass::unrecorded;
    return look(event);
  }

 private:
  CodeClass look(const trace::Event& event);

  bool kernel_seen_ = false;  // a 64-bit kernel has run since the last reset
};

}  // namespace iovm::model
