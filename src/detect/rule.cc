// SPDX-License-Identifier: Apache-2.0
#include "detect/rule.h"

#include <array>

namespace iovm::detect {
namespace {

constexpr std::array<std::string_view, 4> kSeverities = {"low", "medium", "high", "critical"};
constexpr std::array<std::string_view, 4> kPers = {"device", "process", "vcpu", "vm"};

template <typename Enum, std::size_t N>
std::optional<Enum> named(const std::array<std::string_view, N>& names, std::string_view name) {
  for (std::size_t i = 0; i < N; ++i) {
    if (names[i] == name) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

}  // namespace

bool Numbers::meets(std::uint64_t first, std::uint64_t last) const {
  if (items.empty() || negated) return first != last || has(first);
  for (const Item& item : items) {
    // With a mask, or several numbers to choose from, who can tell; the event will.
    if (item.mask != ~std::uint64_t{0}) {
      if (first != last || has(first)) return true;
    } else if (item.first <= last && first <= item.last) {
      return true;
    }
  }
  return false;
}

std::string_view name_of(Severity severity) {
  return kSeverities[static_cast<std::size_t>(severity)];
}

std::optional<Severity> severity_named(std::string_view name) {
  return named<Severity>(kSeverities, name);
}

std::string_view name_of(Per per) {
  return kPers[static_cast<std::size_t>(per)];
}

std::optional<Per> per_named(std::string_view name) {
  return named<Per>(kPers, name);
}

}  // namespace iovm::detect
