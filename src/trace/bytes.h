// SPDX-License-Identifier: Apache-2.0
//
// Integers as bytes. Everything on disk is little-endian and may stand at any address; these are
// single instructions on the machines that run KVM/x86.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstring>

namespace iovm::trace {

static_assert(std::endian::native == std::endian::little,
              "iovm traces x86 guests on x86 hosts; a big-endian port swaps here");

template <std::integral T>
T load_le(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

template <std::integral T>
void store_le(std::byte* at, T value) {
  std::memcpy(at, &value, sizeof value);
}

}  // namespace iovm::trace
