// SPDX-License-Identifier: Apache-2.0
//
// BTF and kallsyms as a kernel's build makes them, small: what a synthetic guest carries.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace iovm::record {

using Bytes = std::vector<std::byte>;

template <typename T>
void append(Bytes& out, const T& value) {
  const auto* at = reinterpret_cast<const std::byte*>(&value);
  out.insert(out.end(), at, at + sizeof(T));
}

// Structures by name, with members of which only the offset counts.
class BtfBuilder {
 public:
  using Members = std::vector<std::pair<std::string_view, std::uint32_t>>;

  BtfBuilder() : strings_(1, '\0') {
    type("long", 1U << 24, 8);
    append(types_, std::uint32_t{64});
  }
  void structure(std::string_view name, std::uint32_t bytes, const Members& members) {
    type(name, 4U << 24 | static_cast<std::uint32_t>(members.size()), bytes);
    for (const auto& [member, offset] : members) {
      append(types_, text(member));
      append(types_, std::uint32_t{1});
      append(types_, offset * 8);
    }
  }
  Bytes blob() const {
    Bytes out;
    auto types = static_cast<std::uint32_t>(types_.size());
    append(out, std::uint16_t{0xeb9f});
    append(out, std::uint16_t{1});  // version 1, no flags
    for (std::uint32_t word : {24U, 0U, types, types, static_cast<std::uint32_t>(strings_.size())})
      append(out, word);
    out.insert(out.end(), types_.begin(), types_.end());
    for (char c : strings_) out.push_back(static_cast<std::byte>(c));
    return out;
  }

 private:
  std::uint32_t text(std::string_view text) {
    auto at = static_cast<std::uint32_t>(strings_.size());
    strings_ += text;
    strings_ += '\0';
    return at;
  }
  void type(std::string_view name, std::uint32_t info, std::uint32_t size) {
    append(types_, text(name));
    append(types_, info);
    append(types_, size);
  }

  Bytes types_;
  std::string strings_;
};

// The tables of kallsyms; each of the 256 tokens is one character.
struct KallsymsBuilder {
  std::vector<std::pair<std::string, std::uint32_t>> symbols;  // name, offset

  Bytes names() const {
    Bytes out;
    for (const auto& [name, offset] : symbols) {
      out.push_back(static_cast<std::byte>(name.size() + 1));
      out.push_back(static_cast<std::byte>('D'));
      for (char c : name) out.push_back(static_cast<std::byte>(c));
    }
    return out;
  }
  Bytes offsets() const {
    Bytes out;
    for (const auto& [name, offset] : symbols) append(out, offset);
    return out;
  }
  // Where every 256th name begins.
  Bytes markers() const {
    Bytes out;
    std::uint32_t at = 0;
    for (std::size_t i = 0; i < symbols.size(); ++i) {
      if (i % 256 == 0) append(out, at);
      at += static_cast<std::uint32_t>(symbols[i].first.size()) + 2;
    }
    return out;
  }
  static Bytes token_table() {
    Bytes out;
    for (int i = 0; i < 256; ++i) {
      out.push_back(static_cast<std::byte>(i == 0 ? 1 : i));
      out.push_back(std::byte{0});
    }
    return out;
  }
  static Bytes token_index() {
    Bytes out;
    for (std::uint16_t i = 0; i < 256; ++i) append(out, static_cast<std::uint16_t>(2 * i));
    return out;
  }
};

}  // namespace iovm::record
