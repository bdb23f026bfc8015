// SPDX-License-Identifier: Apache-2.0
//
// The types of the running kernel by their names, from /sys/kernel/btf/vmlinux and, of a module,
// from the file beside it, which counts types and strings on from those of vmlinux
// (Documentation/bpf/btf.rst). Just what has to be known before a BPF program can be loaded. The
// bytes are the kernel's own, but damaged ones are an error and no more. A guest's types are
// guest_btf.h's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace iovm::record {

class KernelTypes {
 public:
  static Result<KernelTypes> read(const std::string& path);
  // Of a module; `kernel` must outlive it.
  static Result<KernelTypes> read(const std::string& path, const KernelTypes& kernel);

  bool has_struct(std::string_view name) const;
  bool has_function(std::string_view name) const;
  // The names of a function's parameters in their order; nothing if there is no such function.
  std::optional<std::vector<std::string_view>> parameters(std::string_view function) const;

 private:
  KernelTypes() = default;
  static Result<KernelTypes> parse(std::string bytes, const KernelTypes* kernel);

  std::optional<std::uint32_t> find(std::string_view name, unsigned kind) const;
  std::uint32_t first() const;  // the number of its first type
  std::uint32_t word(std::uint32_t type, std::uint32_t number) const;
  std::string_view name_at(std::uint32_t offset) const;

  const KernelTypes* kernel_ = nullptr;
  std::string bytes_;
  std::uint32_t strings_ = 0;  // where they begin in bytes_
  std::uint32_t strings_length_ = 0;
  std::vector<std::uint32_t> types_;  // where each begins; without void and the kernel's
};

}  // namespace iovm::record
