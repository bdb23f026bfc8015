// SPDX-License-Identifier: Apache-2.0
//
// The kernel's BPF ring buffer, played by a test: the reader's page, the kernel's page, and the
// data twice in a row (each byte is written at both places). As in the kernel a record is reserved,
// and later committed or thrown away; one that finds no room is not there.
#pragma once

#include <linux/bpf.h>
#include <unistd.h>

#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include "iovm_abi.h"

namespace iovm::record {

class FakeBpfRing {
 public:
  explicit FakeBpfRing(std::size_t pages = 1)
      : page_(static_cast<std::size_t>(::sysconf(_SC_PAGESIZE))),
        bytes_(page_ * pages),
        consumed_(page_ / 8),
        produced_((page_ + 2 * bytes_) / 8) {}

  std::span<std::byte> consumed() { return std::as_writable_bytes(std::span(consumed_)); }
  std::span<std::byte> produced() { return std::as_writable_bytes(std::span(produced_)); }
  std::uint64_t used() const { return produced_[0] - consumed_[0]; }
  std::size_t fits() const { return bytes_ / kStride; }

  // The place of the record, if there is room.
  std::optional<std::uint64_t> reserve() {
    if (used() + kStride > bytes_) return std::nullopt;
    std::uint64_t place = produced_[0];
    write(place, sizeof(iovm_record) | BPF_RINGBUF_BUSY_BIT);
    produced_[0] += kStride;
    return place;
  }
  void commit(std::uint64_t place, const iovm_record& record) {
    write(place + BPF_RINGBUF_HDR_SZ, record);
    write(place, std::uint32_t{sizeof record});
  }
  void discard(std::uint64_t place) { write(place, sizeof(iovm_record) | BPF_RINGBUF_DISCARD_BIT); }
  bool put(std::uint64_t time) {
    auto place = reserve();
    if (place) commit(*place, record_of(time));
    return place.has_value();
  }
  static iovm_record record_of(std::uint64_t time) {
    iovm_record record = {};
    record.time = time;
    record.address = time;
    record.kind = IOVM_PIO;
    return record;
  }
  // A header that no program of ours makes.
  void spoil(std::uint64_t place) { write(place, std::uint32_t{40}); }

 private:
  static constexpr std::size_t kStride = BPF_RINGBUF_HDR_SZ + sizeof(iovm_record);

  template <typename T>
  void write(std::uint64_t place, const T& what) {
    const auto* from = reinterpret_cast<const std::byte*>(&what);
    for (std::size_t i = 0; i < sizeof what; ++i) {
      std::size_t at = (place + i) % bytes_;
      produced()[page_ + at] = from[i];
      produced()[page_ + bytes_ + at] = from[i];
    }
  }

  std::size_t page_;
  std::size_t bytes_;
  std::vector<std::uint64_t> consumed_;
  std::vector<std::uint64_t> produced_;
};

}  // namespace iovm::record
