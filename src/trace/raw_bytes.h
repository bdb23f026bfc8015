// SPDX-License-Identifier: Apache-2.0
//
// Vectors for what is written before it is read: growing does not fill them with zeros first. A
// reader unpacks its columns into megabytes of them, of every recording anew.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace iovm::trace {

template <typename T>
struct RawAllocator : std::allocator<T> {
  template <typename U>
  struct rebind {
    using other = RawAllocator<U>;
  };
  template <typename U, typename... Arguments>
  void construct(U* place, Arguments&&... arguments) {
    if constexpr (sizeof...(Arguments) == 0) {
      ::new (static_cast<void*>(place)) U;
    } else {
      std::construct_at(place, std::forward<Arguments>(arguments)...);
    }
  }
};

template <typename T>
using RawVector = std::vector<T, RawAllocator<T>>;
using RawBytes = RawVector<std::byte>;

}  // namespace iovm::trace
