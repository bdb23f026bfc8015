// SPDX-License-Identifier: Apache-2.0
//
// SHA-256, for what others must be able to check with their own tools: evidence names its files by
// it. (Blocks of traces and models have their own, faster checksum.) OpenSSL's library does the
// work behind it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace iovm {

using Sha256 = std::array<std::uint8_t, 32>;

Sha256 sha256(std::string_view bytes);
// The whole file, however large.
Result<Sha256> sha256_of_file(const std::string& path);

// 64 hexadecimal digits, as sha256sum prints them.
std::string hex_text(const Sha256& hash);
// As web pages name what they allow: with '+', '/' and padding.
std::string base64_text(const Sha256& hash);

}  // namespace iovm
