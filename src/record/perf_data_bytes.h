// SPDX-License-Identifier: Apache-2.0
//
// A walk through bytes of a foreign file that cannot leave them: what is not there reads as zero or
// empty, and the walk remembers that it failed. So a parser reads a whole structure straight down
// and asks once, at its end, whether all of it was there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

namespace iovm::record {

class ByteWalk {
 public:
  explicit ByteWalk(std::span<const std::byte> bytes) : rest_(bytes) {}

  bool failed() const { return failed_; }
  std::size_t left() const { return rest_.size(); }

  template <typename T>
  T take() {
    static_assert(std::is_trivially_copyable_v<T>);
    T value{};
    std::span<const std::byte> bytes = take_bytes(sizeof value);
    if (bytes.size() == sizeof value) std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }
  // Exactly `count` bytes; empty (and failed) if there are fewer.
  std::span<const std::byte> take_bytes(std::uint64_t count) {
    if (failed_ || count > rest_.size()) return fail();
    std::span<const std::byte> bytes = rest_.first(static_cast<std::size_t>(count));
    rest_ = rest_.subspan(static_cast<std::size_t>(count));
    return bytes;
  }
  // Up to its 0 byte, which is taken too.
  std::string_view take_text() {
    const void* end = rest_.empty() ? nullptr : std::memchr(rest_.data(), 0, rest_.size());
    if (failed_ || end == nullptr) return fail(), std::string_view();
    auto length = static_cast<std::size_t>(static_cast<const std::byte*>(end) - rest_.data());
    std::string_view text(reinterpret_cast<const char*>(rest_.data()), length);
    rest_ = rest_.subspan(length + 1);
    return text;
  }
  void skip(std::uint64_t count) { take_bytes(count); }

 private:
  std::span<const std::byte> fail() {
    failed_ = true;
    rest_ = {};
    return {};
  }

  std::span<const std::byte> rest_;
  bool failed_ = false;
};

inline std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace iovm::record
