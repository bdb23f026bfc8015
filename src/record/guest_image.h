// SPDX-License-Identifier: Apache-2.0
//
// The kernel's image (text, read-only data, data) as its page tables map it, in memory of ours: for
// what has to be looked for in it because nothing says where it is. Read once, when first asked
// for; a kernel of a distribution has 30 to 60 MiB. Where pages are missing (the kernel gives those
// of its start back) a run ends. Bounded in bytes and in what it walks over.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "record/guest_pagetable.h"

namespace iovm::record {

class KernelImage {
 public:
  static constexpr std::uint64_t kMost = 96U << 20;        // bytes read
  static constexpr std::uint64_t kLargestGap = 16U << 20;  // the image ends where more is missing

  // Pages that follow one another, in the guest and here.
  struct Run {
    std::uint64_t address = 0;
    std::vector<std::byte> bytes;

    template <typename T>
    T at(std::size_t offset) const {
      T value;
      std::memcpy(&value, bytes.data() + offset, sizeof value);
      return value;
    }
  };

  // `text` is an address in the first pages of the image. Unless it is `allowed` nothing is read,
  // and nothing found.
  KernelImage(const KernelSpace& space, std::uint64_t text, bool allowed)
      : space_(&space), text_(text), allowed_(allowed) {}

  const std::vector<Run>& runs();
  // Somebody has looked for something.
  bool was_wanted() const { return wanted_; }
  // Between its first byte and its last, pages that are missing among them.
  bool spans(std::uint64_t address);
  // Each place of these bytes, until `take` says that it has what it wanted.
  using Take = std::function<bool(const Run& run, std::size_t offset)>;
  void find(std::string_view bytes, const Take& take);

 private:
  void read();

  const KernelSpace* space_;
  std::uint64_t text_;
  bool allowed_;
  bool wanted_ = false;
  std::vector<Run> runs_;
};

}  // namespace iovm::record
