// SPDX-License-Identifier: Apache-2.0
//
// One CPU's ring of iovm.ko as its reader sees it: a page of header and equal slots of 88 bytes
// (kmod/uapi/iovm_abi.h). A Record is a handle: while it lives its slot stays, and its destruction
// consumes it. Nobody but the ring touches tail, which is written once for many records, because
// every store to it takes a cache line from the CPU that writes.
//
// look() also tells up to which time the ring is complete. The module says when a record is being
// made (busy), so this is known, not waited for: a CPU that stands still in the middle of a record
// (a host that is itself a VM) holds the bound back to its last record, and nothing comes late.
//
// The memory is mapped (map) or lent by a test (over). One reader thread for each ring.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "base/result.h"
#include "iovm_abi.h"

namespace iovm::record {

class RecordRing {
 public:
  // Maps the ring that starts at `offset` of /dev/iovm and has `bytes` in all.
  static Result<RecordRing> map(int fd, std::uint64_t offset, std::size_t bytes);
  // Over memory laid out as the module does. Not owned. An input error if the header is no ring's.
  static Result<RecordRing> over(std::span<std::byte> memory);

  class Record {
   public:
    Record(Record&& other) noexcept
        : ring_(std::exchange(other.ring_, nullptr)), record_(other.record_) {}
    Record& operator=(Record&&) = delete;
    ~Record() {
      if (ring_) ring_->consume();
    }
    const iovm_record& operator*() const { return *record_; }
    const iovm_record* operator->() const { return record_; }

   private:
    friend class RecordRing;
    Record(RecordRing* ring, const iovm_record* record) : ring_(ring), record_(record) {}
    RecordRing* ring_;
    const iovm_record* record_;
  };

  // Takes note of what the module has written by now; next() goes that far and no further. The
  // result is a time up to which nothing will come any more, given that it is `now` (ns).
  std::uint64_t look(std::uint64_t now);
  // The oldest record that is noted and not consumed. The one before must be gone.
  std::optional<Record> next();
  // Gives all that is consumed back to the module.
  void give_back();

  std::uint32_t slots() const { return slots_; }
  std::uint32_t cpu() const { return page_->cpu; }
  std::uint64_t unread() const { return head_ - tail_; }

 private:
  struct Unmap {
    std::size_t length;
    void operator()(void* memory) const;
  };

  void consume() {
    ++tail_;
    if (++at_ == slots_) at_ = 0;
    if (tail_ - given_back_ >= slots_ / 16) give_back();
  }

  std::unique_ptr<void, Unmap> mapping_{nullptr, Unmap{0}};
  iovm_ring* page_ = nullptr;
  const iovm_record* records_ = nullptr;
  std::uint32_t slots_ = 0;
  std::uint32_t at_ = 0;          // tail_ % slots_
  std::uint64_t head_ = 0;        // as of the last look()
  std::uint64_t tail_ = 0;        // consumed
  std::uint64_t given_back_ = 0;  // what the module knows of tail_
  std::uint64_t newest_ = 0;      // time of the newest record ever noted
};

}  // namespace iovm::record
