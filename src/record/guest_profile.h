// SPDX-License-Identifier: Apache-2.0
//
// What depends on a kernel's build alone, kept for the next time the same build is met (by its
// BUILD-ID): offsets in structures, and addresses relative to `_stext`, which KASLR moves as a
// whole. With it a guest is attached at once, and still when the pages that say all that are gone.
// The self-test is made all the same.
//
// A profile comes from the guest's memory, and a guest can lie. So a profile is of one VM and never
// used for another: a guest could leave a false one for its neighbours (guest_profile_file.h).
//
// It is text, a line for each value, "name hexadecimal", and ends with a checksum. Whatever the
// file says is checked: sizes, ranges, that all is there and nothing twice.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "record/guest_layout.h"

namespace iovm::record {

class KernelProfile {
 public:
  static constexpr std::size_t kMostBytes = 8192;

  // Of a kernel whose `_stext` is at `text`.
  static KernelProfile of(const KernelLayout& layout, std::string build_id, std::uint64_t text);
  static Result<KernelProfile> parse(std::string_view text);
  std::string text() const;

  const std::string& build_id() const { return build_id_; }
  // In a boot in which `_stext` is at `text`.
  KernelLayout layout_at(std::uint64_t text) const;

  friend bool operator==(const KernelProfile&, const KernelProfile&) = default;

 private:
  std::string build_id_;
  KernelLayout layout_;            // addresses from _stext; 0 stays "not known"
  bool per_cpu_in_image_ = false;  // per-CPU variables are such addresses too (from 6.15)
};

// A build id as the kernel writes it; others are not kept.
bool is_build_id(std::string_view text);

}  // namespace iovm::record
