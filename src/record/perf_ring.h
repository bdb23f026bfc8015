// SPDX-License-Identifier: Apache-2.0
//
// The memory that the kernel and a reader of perf events share: one header page
// (perf_event_mmap_page) and a power of two of data pages. The kernel appends records at data_head
// and never overwrites what the reader has not given back by moving data_tail; a record that does
// not fit is dropped and counted, and told of by a LOST record as soon as there is room again.
//
// A Record is a handle: as long as it lives its bytes stay, and its destruction consumes it. Nobody
// but the ring touches data_tail. It is written once for many records (a sixteenth of the ring, and
// at the end of a round), because every store to it takes a cache line from the CPU that writes.
//
// One reader thread for each ring. The memory is mapped (map) or lent by a test (over).
#pragma once

#include <linux/perf_event.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/result.h"

namespace iovm::record {

class PerfRing {
 public:
  // Maps the ring of a perf event; `data_bytes` is a power of two of whole pages.
  static Result<PerfRing> map(int fd, std::size_t data_bytes);
  // Over memory laid out as the kernel does: a page of header, then the data. Not owned.
  static PerfRing over(std::span<std::byte> memory);

  class Record {
   public:
    Record(Record&& other) noexcept
        : ring_(std::exchange(other.ring_, nullptr)), bytes_(other.bytes_) {}
    Record& operator=(Record&&) = delete;
    ~Record() {
      if (ring_) ring_->consume(bytes_.size());
    }

    std::uint32_t type() const { return header().type; }
    std::span<const std::byte> body() const { return bytes_.subspan(sizeof(perf_event_header)); }

   private:
    friend class PerfRing;
    Record(PerfRing* ring, std::span<const std::byte> bytes) : ring_(ring), bytes_(bytes) {}
    perf_event_header header() const {
      perf_event_header header;
      std::memcpy(&header, bytes_.data(), sizeof header);
      return header;
    }
    PerfRing* ring_;
    std::span<const std::byte> bytes_;
  };

  // Takes note of what the kernel has written by now; next() goes that far and no further.
  void look();
  // The oldest record that is noted and not consumed. The one before must be gone.
  std::optional<Record> next();
  // Gives all that is consumed back to the kernel.
  void give_back();

  // Whether the kernel may have found no room for a record at some time since the last look().
  bool may_have_been_full() const;

  std::size_t size() const { return size_; }
  // Where the reader is, and where the last look() ended: bytes from the ring's first on.
  std::uint64_t position() const { return tail_; }
  std::uint64_t end() const { return head_; }
  // Bytes noted and not consumed.
  std::size_t unread() const { return static_cast<std::size_t>(head_ - tail_); }
  // Bytes that made no record (a size that cannot be) and were passed over up to the head.
  std::uint64_t torn_bytes() const { return torn_; }

 private:
  struct Unmap {
    std::size_t length;
    void operator()(void* memory) const;
  };

  void consume(std::size_t bytes) {
    tail_ += bytes;
    if (tail_ - given_back_ >= size_ / 16) give_back();
  }
  std::span<const std::byte> bytes_at(std::uint64_t position, std::size_t length);

  std::unique_ptr<void, Unmap> mapping_{nullptr, Unmap{0}};
  perf_event_mmap_page* page_ = nullptr;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::uint64_t head_ = 0;        // as of the last look()
  std::uint64_t tail_ = 0;        // consumed
  std::uint64_t given_back_ = 0;  // what the kernel knows of tail_
  std::uint64_t floor_ = 0;       // that, at the last look()
  std::uint64_t torn_ = 0;
  std::vector<std::byte> joined_;  // a record that goes round the end of the data
};

}  // namespace iovm::record
