// SPDX-License-Identifier: Apache-2.0
#include "trace/context.h"

#include <sys/random.h>

#include "base/assert.h"
#include "base/format.h"

namespace iovm::trace {

std::string_view name_of(ProcessKind kind) {
  constexpr std::array<std::string_view, 7> kNames = {
      "user", "kernel", "idle", "interrupt", "firmware", "unknown", "address space"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string_view name_of(Confidence confidence) {
  constexpr std::array<std::string_view, 3> kNames = {"none", "low", "high"};
  return kNames[static_cast<std::size_t>(confidence)];
}

std::string id_text(const std::array<std::uint8_t, 16>& id) {
  std::string text;
  for (std::uint8_t byte : id) format_to(std::back_inserter(text), "{:02x}", byte);
  return text;
}

std::array<std::uint8_t, 16> random_id() {
  std::array<std::uint8_t, 16> id{};
  ssize_t got = ::getrandom(id.data(), id.size(), 0);
  IOVM_ASSERT(got == static_cast<ssize_t>(id.size()));
  return id;
}

}  // namespace iovm::trace
