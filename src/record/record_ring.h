// SPDX-License-Identifier: Apache-2.0
//
// One CPU's ring of iovm_records as its reader sees it. There are two kinds. That of iovm.ko: a
// page of header and equal slots of 88 bytes (kmod/uapi/iovm_abi.h), positions count slots. And the
// kernel's own BPF ring buffer: positions count bytes, each record has a word of length and flags
// before it, and the data are mapped twice in a row, so that no record is broken by the end. All
// records being equal, both are an area that is gone through in even strides.
//
// A Record is a handle: while it lives its slot stays, and its destruction consumes it. Nobody but
// the ring touches the reader's position, which is written once for many records, because every
// store to it takes a cache line from the CPU that writes.
//
// look() also tells up to which time the ring is complete. Both kinds say when a record is being
// made (`busy`, or reserved and not committed) before that record takes its time, so this is known,
// not waited for: a CPU that stands still in the middle of a record (a host that is itself a VM)
// holds the bound back to its last record, and nothing comes late.
//
// The memory is mapped by a session or lent by a test. One reader thread for each ring.
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

// Mapped memory; unmapped with it.
class RingMemory {
 public:
  static Result<RingMemory> map(int fd, std::uint64_t offset, std::size_t bytes, int protection);
  std::span<std::byte> bytes() const { return {static_cast<std::byte*>(memory_.get()), length()}; }

 private:
  struct Unmap {
    std::size_t length;
    void operator()(void* memory) const;
  };
  RingMemory(void* memory, std::size_t length) : memory_(memory, Unmap{length}) {}
  std::size_t length() const { return memory_.get_deleter().length; }
  std::unique_ptr<void, Unmap> memory_;
};

class RecordRing {
 public:
  // Maps the ring of iovm.ko that starts at `offset` of /dev/iovm and has `bytes` in all; and the
  // BPF ring buffer of `bytes` of data.
  static Result<RecordRing> map_kmod(int fd, std::uint64_t offset, std::size_t bytes);
  static Result<RecordRing> map_bpf(int fd, std::size_t bytes);
  // Over memory laid out as the kernel does, not owned. An input error if it is no ring's: a header
  // that makes no sense, sizes that do not fit. `produced` is the kernel's page and the data,
  // twice.
  static Result<RecordRing> over_kmod(std::span<std::byte> memory);
  static Result<RecordRing> over_bpf(std::span<std::byte> consumed, std::span<std::byte> produced);

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

  // Takes note of what the kernel has written by now; next() goes that far and no further. The
  // result is a time up to which nothing will come any more, given that it is `now` (ns).
  std::uint64_t look(std::uint64_t now);
  // The oldest record that is noted and not consumed. The one before must be gone.
  std::optional<Record> next();
  // Gives all that is consumed back to the kernel.
  void give_back();

  std::uint64_t slots() const { return slots_; }
  std::uint64_t unread() const { return head_ - tail_; }

 private:
  RecordRing() = default;

  const std::byte* slot(std::uint64_t number) const;
  const iovm_record& record_at(const std::byte* slot) const;
  bool note(std::uint64_t head);
  bool discarded() const;
  void consume() {
    ++tail_;
    at_ += stride_;
    if (at_ >= bytes_) at_ -= bytes_;
    if (tail_ - given_back_ >= slots_ / 16) give_back();
  }

  std::optional<RingMemory> consumed_;  // kmod: the whole; what the reader may write
  std::optional<RingMemory> produced_;
  const std::byte* data_ = nullptr;
  __u64* kernel_head_ = nullptr;
  __u64* kernel_tail_ = nullptr;
  __u32* busy_ = nullptr;    // kmod's; nothing: each record has its own
  std::uint64_t bytes_ = 0;  // after so many the strides begin anew
  std::uint64_t slots_ = 0;  // the most records that can be there
  std::uint64_t unit_ = 1;   // of the kernel's positions, in a record
  std::uint32_t stride_ = 0;
  std::uint32_t before_ = 0;  // bytes of a stride before the record

  std::uint64_t at_ = 0;          // of record tail_, in the data
  std::uint64_t head_ = 0;        // records noted so far
  std::uint64_t tail_ = 0;        // consumed
  std::uint64_t given_back_ = 0;  // what the kernel knows of tail_
  std::uint64_t newest_ = 0;      // time of the newest record ever noted
};

}  // namespace iovm::record
