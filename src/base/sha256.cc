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

class Hash {
 public:
  Hash() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    IOVM_ASSERT(context_ != nullptr);
    IOVM_ASSERT(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
  }
  void add(const void* bytes, std::size_t size) {
    IOVM_ASSERT(EVP_DigestUpdate(context_.get(), bytes, size) == 1);
  }
  Sha256 finish() {
    Sha256 out{};
    IOVM_ASSERT(EVP_DigestFinal_ex(context_.get(), out.data(), nullptr) == 1);
    return out;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace

Sha256 sha256(std::string_view bytes) {
  Hash hash;
  hash.add(bytes.data(), bytes.size());
  return hash.finish();
}

Result<Sha256> sha256_of_file(const std::string& path) {
  auto fd = open_for_reading(path);
  if (!fd) return std::move(fd).error();
  Hash hash;
  std::vector<std::byte> buffer(std::size_t{1} << 18);
  for (;;) {
    auto got = read_full(fd->get(), buffer);
    if (!got) return std::move(got).error().in(escape_terminal(path));
    hash.add(buffer.data(), *got);
    if (*got < buffer.size()) return hash.finish();
  }
}

std::string hex_text(const Sha256& hash) {
  std::string out;
  for (std::uint8_t byte : hash) out += format("{:02x}", byte);
  return out;
}

std::string base64_text(const Sha256& hash) {
  std::array<unsigned char, 45> text{};  // 44 digits and an end
  int length = EVP_EncodeBlock(text.data(), hash.data(), static_cast<int>(hash.size()));
  return {text.begin(), text.begin() + length};
}

}  // namespace iovm
