// SPDX-License-Identifier: Apache-2.0
#include "model/code_class.h"

#include <array>

namespace iovm::model {
namespace {

constexpr std::array<std::string_view, kCodeClasses> kCodeNames = {
    "unrecorded", "user", "kernel", "module", "other", "firmware"};

}  // namespace

std::string_view name_of(CodeClass code) {
  return kCodeNames[static_cast<std::size_t>(code)];
}

}  // namespace iovm::model
