// SPDX-License-Identifier: Apache-2.0
//
// SHA-256, for what others must be able to check with their own tools: evidence names its files by
// it. (Blocks of traces and models have their own, faster checksum.) OpenSSL's library does the
// work behind it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace iovm {

using Sha256 = std::array<std::uint8_t, 32>;

Sha256 sha256(std::string_view bytes);
Sha256 sha256(std::span<const std::byte> bytes);
// The whole file, however large.
Result<Sha256> sha256_of_file(const std::string& path);

// Of what comes in pieces.
class Sha256Hasher {
 public:
  Sha256Hasher();
  ~Sha256Hasher();
  Sha256Hasher(Sha256Hasher&&) noexcept;
  Sha256Hasher& operator=(Sha256Hasher&&) noexcept;

  Sha256Hasher& add(std::span<const std::byte> bytes);
  // Of all that was added; it starts anew.
  Sha256 finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// 64 hexadecimal digits, as sha256sum prints them, and back.
std::string hex_text(const Sha256& hash);
std::optional<Sha256> parse_sha256(std::string_view text);
// As web pages name what they allow: with '+', '/' and padding.
std::string base64_text(const Sha256& hash);

}  // namespace iovm
