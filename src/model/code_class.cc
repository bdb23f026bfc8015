// SPDX-License-Identifier: Apache-2.0
#include "model/code_class.h"

#include <array>

namespace iovm::model {
namespace {

using trace::Field;

constexpr std::uint64_t kFirstKernelAddress = 0xffff800000000000;
// Linux on x86-64: its text, with all that KASLR may add, and its modules.
constexpr std::uint64_t kKernelText = 0xffffffff80000000;
constexpr std::uint64_t kModules = 0xffffffffc0000000;
constexpr std::uint64_t kModulesEnd = 0xffffffffff000000;

constexpr std::array<std::string_view, kCodeClasses> kCodeNames = {
    "unrecorded", "user", "kernel", "module", "other", "firmware"};

}  // namespace

std::string_view name_of(CodeClass code) {
  return kCodeNames[static_cast<std::size_t>(code)];
}

CodeClass CodeWatch::look(const trace::Event& event) {
  if (event.has(Field::cpl) && event.cpl == 3) return CodeClass::user;
  if (event.rip == 0) return CodeClass::unrecorded;
  if (event.rip >= kFirstKernelAddress) {
    kernel_seen_ = true;
    if (event.rip >= kKernelText && event.rip < kModules) return CodeClass::kernel;
    return event.rip >= kModules && event.rip < kModulesEnd ? CodeClass::module : CodeClass::other;
  }
  if (event.has(Field::cpl) || !event.has(Field::cr3)) return CodeClass::firmware;
  if (event.cr3 == 0) kernel_seen_ = false;
  return kernel_seen_ ? CodeClass::user : CodeClass::firmware;
}

}  // namespace iovm::model
