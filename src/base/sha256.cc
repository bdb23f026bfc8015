// SPDX-License-Identifier: Apache-2.0
#include "base/sha256.h"

#include <openssl/evp.h>

#include <memory>
#include <span>
#include <vector>

#include "base/assert.h"
#include "base/fd.h"
#include "base/format.h"
#include "base/text.h"

namespace iovm {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

}  // namespace

struct Sha256Hasher::State {
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{EVP_MD_CTX_new(),
                                                                  EVP_MD_CTX_free};
  void begin() {
    IOVM_ASSERT(context != nullptr);
    IOVM_ASSERT(EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1);
  }
};

Sha256Hasher::Sha256Hasher() : state_(std::make_unique<State>()) {
  state_->begin();
}
Sha256Hasher::~Sha256Hasher() = default;
Sha256Hasher::Sha256Hasher(Sha256Hasher&&) noexcept = default;
Sha256Hasher& Sha256Hasher::operator=(Sha256Hasher&&) noexcept = default;

Sha256Hasher& Sha256Hasher::add(std::span<const std::byte> bytes) {
  IOVM_ASSERT(EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size()) == 1);
  return *this;
}

Sha256 Sha256Hasher::finish() {
  Sha256 out{};
  IOVM_ASSERT(EVP_DigestFinal_ex(state_->context.get(), out.data(), nullptr) == 1);
  state_->begin();
  return out;
}

Sha256 sha256(std::string_view bytes) {
  return sha256(std::as_bytes(std::span(bytes)));
}

Sha256 sha256(std::span<const std::byte> bytes) {
  return Sha256Hasher().add(bytes).finish();
}

Result<Sha256> sha256_of_file(const std::string& path) {
  auto fd = open_for_reading(path);
  if (!fd) return std::move(fd).error();
  Sha256Hasher hash;
  std::vector<std::byte> buffer(std::size_t{1} << 18);
  for (;;) {
    auto got = read_full(fd->get(), buffer);
    if (!got) return std::move(got).error().in(escape_terminal(path));
    hash.add(std::span<const std::byte>(buffer).first(*got));
    if (*got < buffer.size()) return hash.finish();
  }
}

std::string hex_text(const Sha256& hash) {
  std::string out;
  for (std::uint8_t byte : hash) out += format("{:02x}", byte);
  return out;
}

std::optional<Sha256> parse_sha256(std::string_view text) {
  Sha256 hash{};
  if (text.size() != 2 * hash.size()) return std::nullopt;
  for (std::size_t i = 0; i < hash.size(); ++i) {
    int high = hex_value(text[2 * i]);
    int low = hex_value(text[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    hash[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return hash;
}

std::string base64_text(const Sha256& hash) {
  std::array<unsigned char, 45> text{};  // 44 digits and an end
  int length = EVP_EncodeBlock(text.data(), hash.data(), static_cast<int>(hash.size()));
  return {text.begin(), text.begin() + length};
}

}  // namespace iovm
