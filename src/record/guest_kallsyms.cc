// SPDX-License-Identifier: Apache-2.0
#include "record/guest_kallsyms.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/format.h"

namespace iovm::record {
namespace {

constexpr std::uint32_t kFewest = 1000;  // a kernel has 50,000 and more
constexpr std::uint32_t kMost = 1'000'000;
constexpr std::uint64_t kMostBytes = 64U << 20;  // of all names, expanded; a kernel has some 5 MiB
constexpr std::size_t kMaxName = 512;            // KSYM_NAME_LEN
constexpr std::size_t kMaxTokens = 16384;        // bytes of kallsyms_token_table
constexpr std::size_t kWindow = 65536;

// Bytes in order, read in pieces.
class Stream {
 public:
  Stream(const KernelSpace& kernel, std::uint64_t va) : kernel_(&kernel), next_(va) {}

  std::optional<std::uint8_t> byte() {
    if (at_ == end_ && !refill()) return std::nullopt;
    return static_cast<std::uint8_t>(window_[at_++]);
  }

 private:
  // To the end of the page at least; further while that can be read.
  bool refill() {
    window_.resize(kWindow);
    std::size_t part = kWindow - next_ % 4096;
    if (!kernel_->read(next_, std::span(window_).first(part))) {
      part = 4096 - next_ % 4096;
      if (!kernel_->read(next_, std::span(window_).first(part))) return false;
    }
    next_ += part;
    at_ = 0;
    end_ = part;
    return true;
  }

  const KernelSpace* kernel_;
  std::uint64_t next_;
  std::vector<std::byte> window_;
  std::size_t at_ = 0;
  std::size_t end_ = 0;
};

class Tokens {
 public:
  static std::optional<Tokens> read(const KernelSpace& kernel, const KallsymsTables& tables) {
    Tokens tokens;
    if (!kernel.read(tables.token_index, std::as_writable_bytes(std::span(tokens.index_))))
      return std::nullopt;
    std::size_t size = *std::max_element(tokens.index_.begin(), tokens.index_.end()) + 64U;
    if (size > kMaxTokens) return std::nullopt;
    tokens.text_.resize(size);
    if (!kernel.read(tables.token_table, std::as_writable_bytes(std::span(tokens.text_))))
      return std::nullopt;
    if (!tokens.index_in_order()) return std::nullopt;
    return tokens;
  }

  std::string_view operator[](std::uint8_t token) const {
    std::string_view rest = std::string_view(text_).substr(index_[token]);
    return rest.substr(0, rest.find('\0'));
  }

 private:
  bool index_in_order() const {
    return index_[0] == 0 &&
           std::adjacent_find(index_.begin(), index_.end(), std::greater_equal<>()) == index_.end();
  }

  std::array<std::uint16_t, 256> index_;
  std::string text_;
};

// One symbol's name with its type in front; false at the end or where the table is broken.
bool next_name(Stream& names, const Tokens& tokens, std::string& name) {
  auto first = names.byte();
  if (!first) return false;
  std::size_t length = *first;
  if ((length & 0x80) != 0) {
    auto second = names.byte();
    if (!second) return false;
    length = (length & 0x7f) | static_cast<std::size_t>(*second) << 7;
  }
  if (length == 0 || length > kMaxName) return false;
  name.clear();
  while (length-- > 0) {
    auto token = names.byte();
    if (!token) return false;
    std::string_view piece = tokens[*token];
    if (piece.empty() || name.size() + piece.size() > kMaxName) return false;
    name += piece;
  }
  return name.size() >= 2;
}

class Addresses {
 public:
  Addresses(const KernelSpace& kernel, const KallsymsTables& tables, std::uint64_t base)
      : kernel_(&kernel), offsets_(tables.offsets), base_(base) {}

  std::optional<std::uint64_t> of(std::uint32_t index, KallsymsOffsets meaning) const {
    std::uint64_t place = offsets_ + 4ULL * index;
    auto raw = kernel_->value<std::uint32_t>(place);
    if (!raw) return std::nullopt;
    auto whole = static_cast<std::uint64_t>(static_cast<std::int32_t>(*raw));  // sign-extended
    switch (meaning) {
      case KallsymsOffsets::percpu_absolute:
        return static_cast<std::int32_t>(*raw) >= 0 ? whole : base_ - 1 - whole;
      case KallsymsOffsets::from_base:
        return base_ + *raw;
      case KallsymsOffsets::from_place:
        return place + whole;
    }
    return std::nullopt;
  }

 private:
  const KernelSpace* kernel_;
  std::uint64_t offsets_;
  std::uint64_t base_;
};

using Indices = std::map<std::string, std::uint32_t, std::less<>>;

Result<Indices> find_indices(const KernelSpace& kernel, const KallsymsTables& tables,
                             std::uint32_t count, const std::set<std::string_view>& wanted) {
  auto tokens = Tokens::read(kernel, tables);
  if (!tokens) return input_error("kallsyms_token_table is not one");
  Indices found;
  Stream names(kernel, tables.names);
  std::string name;
  std::uint64_t bytes = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    if (!next_name(names, *tokens, name) || (bytes += name.size()) > kMostBytes)
      return input_error(format("kallsyms_names breaks off at symbol {} of {}", i, count));
    if (wanted.contains(std::string_view(name).substr(1))) found.emplace(name.substr(1), i);
  }
  return found;
}

}  // namespace

std::optional<KallsymsTables> kallsyms_tables(const VmcoreInfo& info) {
  auto names = info.symbol("kallsyms_names");
  auto num_syms = info.symbol("kallsyms_num_syms");
  auto token_table = info.symbol("kallsyms_token_table");
  auto token_index = info.symbol("kallsyms_token_index");
  auto offsets = info.symbol("kallsyms_offsets");
  if (!names || !num_syms || !token_table || !token_index || !offsets) return std::nullopt;
  return KallsymsTables{*names,       *num_syms, *token_table,
                        *token_index, *offsets,  info.symbol("kallsyms_relative_base")};
}

std::optional<std::uint64_t> Kallsyms::find(std::string_view name) const {
  auto found = symbols.find(name);
  if (found == symbols.end()) return std::nullopt;
  return found->second;
}

Result<Kallsyms> read_kallsyms(const KernelSpace& kernel, const KallsymsTables& tables,
                               const KallsymsAnchor& anchor,
                               const std::set<std::string_view>& wanted) {
  auto count = kernel.value<std::uint32_t>(tables.num_syms);
  if (!count || *count < kFewest || *count > kMost)
    return input_error(format("kallsyms_num_syms is {}", count.value_or(0)));
  std::set<std::string_view> all = wanted;
  all.insert(anchor.name);
  auto indices = find_indices(kernel, tables, *count, all);
  if (!indices) return std::move(indices).error();
  auto anchored = indices->find(anchor.name);
  if (anchored == indices->end()) return input_error(format("no symbol {}", anchor.name));

  std::uint64_t base = 0;
  if (tables.relative_base) base = kernel.value<std::uint64_t>(*tables.relative_base).value_or(0);
  Addresses addresses(kernel, tables, base);
  for (KallsymsOffsets meaning : {KallsymsOffsets::percpu_absolute, KallsymsOffsets::from_base,
                                  KallsymsOffsets::from_place}) {
    if (addresses.of(anchored->second, meaning) != anchor.address) continue;
    Kallsyms result{meaning, *count, {}};
    for (const auto& [name, index] : *indices)
      if (auto address = addresses.of(index, meaning)) result.symbols.emplace(name, *address);
    return result;
  }
  return input_error(format("kallsyms_offsets do not give {} its address", anchor.name));
}

}  // namespace iovm::record
