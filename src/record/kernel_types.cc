// SPDX-License-Identifier: Apache-2.0
#include "record/kernel_types.h"

#include <linux/btf.h>

#include <cstring>

#include "base/fd.h"

namespace iovm::record {
namespace {

constexpr std::size_t kMostBytes = 256U << 20;

unsigned kind_of(std::uint32_t info) {
  return info >> 24 & 0x1f;
}
std::uint32_t members_of(std::uint32_t info) {
  return info & 0xffff;
}

// What follows the three words of a type.
std::uint32_t bytes_after(std::uint32_t info) {
  switch (kind_of(info)) {
    case BTF_KIND_INT:
    case BTF_KIND_VAR:
    case BTF_KIND_DECL_TAG:
      return 4;
    case BTF_KIND_ARRAY:
      return sizeof(btf_array);
    case BTF_KIND_STRUCT:
    case BTF_KIND_UNION:
    case BTF_KIND_DATASEC:
    case BTF_KIND_ENUM64:
      return members_of(info) * 12;
    case BTF_KIND_ENUM:
    case BTF_KIND_FUNC_PROTO:
      return members_of(info) * 8;
    default:
      return 0;
  }
}

}  // namespace

Result<KernelTypes> KernelTypes::read(const std::string& path) {
  auto bytes = read_file(path, kMostBytes);
  if (!bytes) return std::move(bytes).error();
  auto types = parse(std::move(*bytes), nullptr);
  return types ? std::move(types) : std::move(types).error().in(path);
}

Result<KernelTypes> KernelTypes::read(const std::string& path, const KernelTypes& kernel) {
  auto bytes = read_file(path, kMostBytes);
  if (!bytes) return std::move(bytes).error();
  auto types = parse(std::move(*bytes), &kernel);
  return types ? std::move(types) : std::move(types).error().in(path);
}

Result<KernelTypes> KernelTypes::parse(std::string bytes, const KernelTypes* kernel) {
  btf_header head = {};
  if (bytes.size() < sizeof head) return input_error("no BTF");
  std::memcpy(&head, bytes.data(), sizeof head);
  std::uint64_t begin = std::uint64_t{head.hdr_len} + head.type_off;
  std::uint64_t end = begin + head.type_len;
  std::uint64_t strings = std::uint64_t{head.hdr_len} + head.str_off;
  bool fits = head.magic == BTF_MAGIC && end <= bytes.size() &&
              strings + head.str_len <= bytes.size() && head.str_len > 0 &&
              bytes[strings + head.str_len - 1] == '\0';
  if (!fits) return input_error("no BTF");
  KernelTypes types;
  types.kernel_ = kernel;
  types.bytes_ = std::move(bytes);
  types.strings_ = static_cast<std::uint32_t>(strings);
  types.strings_length_ = head.str_len;
  for (std::uint64_t at = begin; at + sizeof(btf_type) <= end;) {
    std::uint32_t info = 0;
    std::memcpy(&info, types.bytes_.data() + at + 4, sizeof info);
    std::uint64_t next = at + sizeof(btf_type) + bytes_after(info);
    if (next > end) return input_error("a type that does not fit in its BTF");
    types.types_.push_back(static_cast<std::uint32_t>(at));
    at = next;
  }
  return types;
}

std::uint32_t KernelTypes::first() const {
  return kernel_ ? static_cast<std::uint32_t>(kernel_->types_.size()) + 1 : 1;
}

std::uint32_t KernelTypes::word(std::uint32_t type, std::uint32_t number) const {
  if (type < first()) return kernel_ ? kernel_->word(type, number) : 0;
  if (type - first() >= types_.size()) return 0;
  std::uint32_t value = 0;
  std::memcpy(&value, bytes_.data() + types_[type - first()] + number * sizeof value, sizeof value);
  return value;
}

std::string_view KernelTypes::name_at(std::uint32_t offset) const {
  std::uint32_t before = kernel_ ? kernel_->strings_length_ : 0;
  if (offset < before) return kernel_->name_at(offset);
  if (offset - before >= strings_length_) return {};
  return bytes_.data() + strings_ + (offset - before);
}

// Of its own, not the kernel's.
std::optional<std::uint32_t> KernelTypes::find(std::string_view name, unsigned kind) const {
  for (std::uint32_t i = 0; i < types_.size(); ++i) {
    std::uint32_t type = first() + i;
    if (kind_of(word(type, 1)) == kind && name_at(word(type, 0)) == name) return type;
  }
  return std::nullopt;
}

bool KernelTypes::has_struct(std::string_view name) const {
  return find(name, BTF_KIND_STRUCT).has_value();
}

bool KernelTypes::has_function(std::string_view name) const {
  return find(name, BTF_KIND_FUNC).has_value();
}

std::optional<std::vector<std::string_view>> KernelTypes::parameters(
    std::string_view function) const {
  auto type = find(function, BTF_KIND_FUNC);
  if (!type) return std::nullopt;
  std::uint32_t prototype = word(*type, 2);
  std::uint32_t info = word(prototype, 1);
  if (kind_of(info) != BTF_KIND_FUNC_PROTO) return std::nullopt;
  std::vector<std::string_view> names;
  for (std::uint32_t i = 0; i < members_of(info); ++i) {
    names.push_back(name_at(word(prototype, 3 + 2 * i)));
  }
  return names;
}

}  // namespace iovm::record
