// SPDX-License-Identifier: Apache-2.0
#include "record/guest_btf.h"

#include <cstring>

#include "base/format.h"

namespace iovm::record {
namespace {

constexpr std::size_t kHead = 24;
constexpr std::size_t kMaxTypes = 2'000'000;

// include/uapi/linux/btf.h
enum Kind : unsigned {
  kInt = 1,
  kPointer = 2,
  kArray = 3,
  kStruct = 4,
  kUnion = 5,
  kEnum = 6,
  kTypedef = 8,
  kVolatile = 9,
  kConst = 10,
  kRestrict = 11,
  kFunctionPrototype = 13,
  kVariable = 14,
  kDataSection = 15,
  kDeclarationTag = 17,
  kTypeTag = 18,
  kEnum64 = 19,
  kLastKind = 19,
};

// Bytes that follow a type's three words.
std::size_t detail_bytes(unsigned kind, std::size_t count) {
  switch (kind) {
    case kInt:
    case kVariable:
    case kDeclarationTag:
      return 4;
    case kArray:
      return 12;
    case kStruct:
    case kUnion:
    case kDataSection:
    case kEnum64:
      return 12 * count;
    case kEnum:
    case kFunctionPrototype:
      return 8 * count;
    default:
      return 0;
  }
}

struct Head {
  std::uint16_t magic;
  std::uint8_t version;
  std::uint8_t flags;
  std::uint32_t head_bytes;
  std::uint32_t type_offset;
  std::uint32_t type_bytes;
  std::uint32_t string_offset;
  std::uint32_t string_bytes;
};
static_assert(sizeof(Head) == kHead);

std::optional<Head> head_of(std::span<const std::byte> bytes) {
  Head head;
  if (bytes.size() < kHead) return std::nullopt;
  std::memcpy(&head, bytes.data(), kHead);
  bool good = head.magic == 0xeb9f && head.version == 1 && head.head_bytes >= kHead &&
              head.head_bytes <= 4096 && head.type_bytes <= Btf::kMaxBytes &&
              head.string_bytes <= Btf::kMaxBytes && head.type_offset <= Btf::kMaxBytes &&
              head.string_offset <= Btf::kMaxBytes && head.type_offset % 4 == 0 &&
              head.type_bytes % 4 == 0;
  if (!good) return std::nullopt;
  return head;
}

}  // namespace

std::optional<std::size_t> btf_size(std::span<const std::byte> bytes) {
  auto head = head_of(bytes);
  if (!head) return std::nullopt;
  std::size_t types = std::size_t{head->type_offset} + head->type_bytes;
  std::size_t strings = std::size_t{head->string_offset} + head->string_bytes;
  return head->head_bytes + (types > strings ? types : strings);
}

Result<Btf> Btf::parse(std::vector<std::byte> bytes) {
  auto head = head_of(bytes);
  auto size = btf_size(bytes);
  if (!head || !size) return input_error("not BTF");
  if (*size > bytes.size()) return input_error("the BTF is cut short");
  Btf btf;
  btf.bytes_ = std::move(bytes);
  btf.strings_ = {
      reinterpret_cast<const char*>(btf.bytes_.data()) + head->head_bytes + head->string_offset,
      head->string_bytes};
  if (btf.strings_.empty() || btf.strings_.front() != '\0' || btf.strings_.back() != '\0')
    return input_error("the BTF's strings do not end");
  std::size_t at = std::size_t{head->head_bytes} + head->type_offset;
  std::size_t end = at + head->type_bytes;
  btf.types_.emplace_back();
  while (at + 12 <= end) {
    Type type{btf.word(at), btf.word(at + 4), btf.word(at + 8),
              static_cast<std::uint32_t>(at + 12)};
    if (type.kind() == 0 || type.kind() > kLastKind)
      return input_error(
          format("type {} of the BTF is of unknown kind {}", btf.types_.size(), type.kind()));
    at += 12 + detail_bytes(type.kind(), type.count());
    if (at > end || btf.types_.size() >= kMaxTypes) return input_error("the BTF's types overrun");
    btf.types_.push_back(type);
  }
  if (at != end) return input_error("the BTF's types overrun");
  return btf;
}

std::uint32_t Btf::word(std::size_t offset) const {
  std::uint32_t v;
  std::memcpy(&v, bytes_.data() + offset, sizeof(v));
  return v;
}

bool Btf::is_named(std::uint32_t offset, std::string_view name) const {
  if (offset >= strings_.size() || strings_.size() - offset <= name.size()) return false;
  return strings_.substr(offset, name.size()) == name && strings_[offset + name.size()] == '\0';
}

bool Btf::is_structure(std::uint32_t type) const {
  return type < types_.size() && (types_[type].kind() == kStruct || types_[type].kind() == kUnion);
}

std::optional<std::uint32_t> Btf::find_struct(std::string_view name) const {
  for (std::uint32_t i = 1; i < types_.size(); ++i)
    if (is_structure(i) && types_[i].count() > 0 && is_named(types_[i].name, name)) return i;
  return std::nullopt;
}

std::uint32_t Btf::size_of(std::uint32_t type) const {
  return is_structure(type) ? types_[type].size_or_type : 0;
}

std::optional<Btf::Member> Btf::member(std::uint32_t structure, std::string_view name) const {
  std::uint32_t steps = 0;
  return member_at_depth(structure, name, 0, steps);
}

std::optional<Btf::Member> Btf::member_at_depth(std::uint32_t structure, std::string_view name,
                                                int depth, std::uint32_t& steps) const {
  if (!is_structure(structure) || depth > kMaxDepth) return std::nullopt;
  const Type& type = types_[structure];
  for (unsigned i = 0; i < type.count() && steps < kMaxSteps; ++i, ++steps) {
    std::size_t at = type.detail + 12 * std::size_t{i};
    std::uint32_t its_name = word(at);
    std::uint32_t its_type = word(at + 4);
    std::uint32_t bits = word(at + 8);
    bool is_bit_field = type.bit_fields() && (bits >> 24) != 0;
    if (type.bit_fields()) bits &= 0xffffff;
    if (is_bit_field || bits % 8 != 0) continue;
    if (is_named(its_name, name)) return Member{bits / 8, its_type};
    if (!is_named(its_name, "") || !is_structure(its_type)) continue;
    if (auto inside = member_at_depth(its_type, name, depth + 1, steps))
      return Member{bits / 8 + inside->offset, inside->type};
  }
  return std::nullopt;
}

std::optional<std::uint32_t> Btf::structure_of(std::uint32_t type) const {
  bool pointed = false;
  for (int step = 0; step < kMaxDepth && type < types_.size(); ++step) {
    switch (types_[type].kind()) {
      case kStruct:
      case kUnion:
        return type;
      case kPointer:
        if (pointed) return std::nullopt;
        pointed = true;
        break;
      case kTypedef:
      case kVolatile:
      case kConst:
      case kRestrict:
      case kTypeTag:
        break;
      default:
        return std::nullopt;
    }
    type = types_[type].size_or_type;
  }
  return std::nullopt;
}

std::optional<std::uint32_t> Btf::offset_of(std::string_view structure,
                                            std::string_view name) const {
  auto type = find_struct(structure);
  if (!type) return std::nullopt;
  auto found = member(*type, name);
  if (!found) return std::nullopt;
  return found->offset;
}

}  // namespace iovm::record
