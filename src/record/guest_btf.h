// SPDX-License-Identifier: Apache-2.0
//
// BTF, the type information that a kernel carries in its memory between __start_BTF and __stop_BTF
// (Documentation/bpf/btf.rst, include/uapi/linux/btf.h): enough of it to ask at which offset a
// member of a structure lies. A reader of our own, because libbpf's aborts or loops on none of its
// own kernel's types but was never meant for an attacker's: here every count is checked against the
// bytes that are there, and a search through unnamed members is limited in depth and in steps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace iovm::record {

class Btf {
 public:
  static constexpr std::size_t kMaxBytes = 64U << 20;
  static constexpr int kMaxDepth = 8;
  static constexpr std::uint32_t kMaxSteps = 200'000;  // members looked at for one answer

  Btf(Btf&&) = default;
  Btf& operator=(Btf&&) = default;

  // Takes the blob as it is; bytes after the string section are ignored.
  static Result<Btf> parse(std::vector<std::byte> bytes);

  struct Member {
    std::uint32_t offset = 0;  // in bytes; a bit field is not found
    std::uint32_t type = 0;
  };

  // A structure (or union) with members of its own, by name; the first of that name.
  std::optional<std::uint32_t> find_struct(std::string_view name) const;
  std::uint32_t size_of(std::uint32_t type) const;  // bytes of a structure; 0 of anything else
  // By name, through unnamed structures and unions.
  std::optional<Member> member(std::uint32_t structure, std::string_view name) const;
  // The structure behind a member's type: through typedefs, qualifiers and at most one pointer.
  std::optional<std::uint32_t> structure_of(std::uint32_t type) const;

  std::optional<std::uint32_t> offset_of(std::string_view structure, std::string_view member) const;

  std::size_t types() const { return types_.size(); }

 private:
  Btf() = default;
  struct Type {
    std::uint32_t name = 0;
    std::uint32_t info = 0;
    std::uint32_t size_or_type = 0;
    std::uint32_t detail = 0;  // offset in bytes_ of what follows the three words
    unsigned kind() const { return (info >> 24) & 0x1f; }
    unsigned count() const { return info & 0xffff; }
    bool bit_fields() const { return (info >> 31) != 0; }
  };

  // Never scans for the end of a name: a guest's can be 64 MiB long, and asked for a million times.
  bool is_named(std::uint32_t offset, std::string_view name) const;
  bool is_structure(std::uint32_t type) const;
  std::optional<Member> member_at_depth(std::uint32_t structure, std::string_view name, int depth,
                                        std::uint32_t& steps) const;
  std::uint32_t word(std::size_t offset) const;

  std::vector<std::byte> bytes_;
  std::string_view strings_;  // into bytes_, whose buffer moves along with it
  std::vector<Type> types_;   // [0] is void
};

// Where a BTF blob begins, by its magic number and a head that makes sense.
inline constexpr std::uint8_t kBtfMagic[] = {0x9f, 0xeb, 0x01};
// Bytes of the blob whose first 24 bytes these are; nothing if they are no head.
std::optional<std::size_t> btf_size(std::span<const std::byte> head);

}  // namespace iovm::record
