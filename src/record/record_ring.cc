// SPDX-License-Identifier: Apache-2.0
#include "record/record_ring.h"

#include <linux/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>

#include "base/format.h"

namespace iovm::record {
namespace {

// Longer than a CPU's stores stay in its own buffer before the others see them.
constexpr std::uint64_t kStoreBuffer = 10'000;  // ns
// A record takes well under a microsecond: most that are being made are done by the next look.
constexpr int kLooks = 64;

std::uint32_t bpf_word(const std::byte* slot) {
  auto* word = reinterpret_cast<std::uint32_t*>(const_cast<std::byte*>(slot));
  return std::atomic_ref(*word).load(std::memory_order_acquire);
}

}  // namespace

void RingMemory::Unmap::operator()(void* memory) const {
  ::munmap(memory, length);
}

Result<RingMemory> RingMemory::map(int fd, std::uint64_t offset, std::size_t bytes,
                                   int protection) {
  void* memory = ::mmap(nullptr, bytes, protection, MAP_SHARED, fd, static_cast<off_t>(offset));
  if (memory == MAP_FAILED) return errno_error("mapping a ring");
  return RingMemory(memory, bytes);
}

Result<RecordRing> RecordRing::map_kmod(int fd, std::uint64_t offset, std::size_t bytes) {
  auto memory = RingMemory::map(fd, offset, bytes, PROT_READ | PROT_WRITE);
  if (!memory) return std::move(memory).error();
  auto ring = over_kmod(memory->bytes());
  if (ring) ring->consumed_ = std::move(*memory);
  return ring;
}

Result<RecordRing> RecordRing::map_bpf(int fd, std::size_t bytes) {
  auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  auto consumed = RingMemory::map(fd, 0, page, PROT_READ | PROT_WRITE);
  if (!consumed) return std::move(consumed).error();
  auto produced = RingMemory::map(fd, page, page + 2 * bytes, PROT_READ);
  if (!produced) return std::move(produced).error();
  auto ring = over_bpf(consumed->bytes(), produced->bytes());
  if (!ring) return std::move(ring).error();
  ring->consumed_ = std::move(*consumed);
  ring->produced_ = std::move(*produced);
  return ring;
}

Result<RecordRing> RecordRing::over_kmod(std::span<std::byte> memory) {
  if (memory.size() < sizeof(iovm_ring)) return input_error("a ring without a header");
  auto& page = *reinterpret_cast<iovm_ring*>(memory.data());
  if (page.abi != IOVM_ABI_VERSION || page.record_size != sizeof(iovm_record)) {
    return input_error(format("a ring of ABI {} with records of {} bytes; this iovm reads ABI {}",
                              page.abi, page.record_size, static_cast<int>(IOVM_ABI_VERSION)));
  }
  bool fits = page.slots > 0 && page.data >= sizeof(iovm_ring) && page.data <= memory.size() &&
              page.data % alignof(iovm_record) == 0 &&
              page.slots <= (memory.size() - page.data) / sizeof(iovm_record);
  if (!fits) return input_error(format("a ring of {} slots that do not fit in it", page.slots));
  RecordRing ring;
  ring.data_ = memory.data() + page.data;
  ring.kernel_head_ = &page.head;
  ring.kernel_tail_ = &page.tail;
  ring.busy_ = &page.busy;
  ring.slots_ = page.slots;
  ring.stride_ = sizeof(iovm_record);
  ring.bytes_ = ring.slots_ * ring.stride_;
  return ring;
}

Result<RecordRing> RecordRing::over_bpf(std::span<std::byte> consumed,
                                        std::span<std::byte> produced) {
  auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  std::size_t bytes = produced.size() > page ? (produced.size() - page) / 2 : 0;
  if (consumed.size() < sizeof(std::uint64_t) || bytes < page || (bytes & (bytes - 1)) != 0) {
    return input_error(format("a BPF ring buffer of {} bytes", produced.size()));
  }
  RecordRing ring;
  ring.data_ = produced.data() + page;
  ring.kernel_head_ = reinterpret_cast<__u64*>(produced.data());
  ring.kernel_tail_ = reinterpret_cast<__u64*>(consumed.data());
  ring.before_ = BPF_RINGBUF_HDR_SZ;
  ring.stride_ = BPF_RINGBUF_HDR_SZ + sizeof(iovm_record);
  ring.unit_ = ring.stride_;
  ring.bytes_ = bytes;
  ring.slots_ = bytes / ring.stride_;
  return ring;
}

// Of a record not consumed yet, by its number.
const std::byte* RecordRing::slot(std::uint64_t number) const {
  return data_ + (at_ + (number - tail_) * stride_) % bytes_;
}

const iovm_record& RecordRing::record_at(const std::byte* slot) const {
  return *reinterpret_cast<const iovm_record*>(slot + before_);
}

// Goes on to `head` as far as it is committed; whether that is all.
bool RecordRing::note(std::uint64_t head) {
  const std::byte* newest = busy_ && head != head_ ? slot(head - 1) : nullptr;
  if (busy_) head_ = head;
  for (; head_ != head; ++head_) {
    const std::byte* at = slot(head_);
    std::uint32_t word = bpf_word(at);
    // A length that is none of ours is never followed.
    if ((word & ~BPF_RINGBUF_DISCARD_BIT) != sizeof(iovm_record)) break;
    if ((word & BPF_RINGBUF_DISCARD_BIT) == 0) newest = at;
  }
  if (newest) newest_ = record_at(newest).time;
  return head_ == head;
}

std::uint64_t RecordRing::look(std::uint64_t now) {
  bool complete = false;
  for (int i = 0; i < kLooks && !complete; ++i) {
    complete = !busy_ || std::atomic_ref(*busy_).load(std::memory_order_acquire) == 0;
    if (!complete && i + 1 < kLooks) continue;
    std::uint64_t head = std::atomic_ref(*kernel_head_).load(std::memory_order_acquire) / unit_;
    // The kernel never has more than all slots in use.
    if (head - tail_ <= slots_) complete = note(head) && complete;
  }
  return complete ? now - kStoreBuffer : newest_;
}

bool RecordRing::discarded() const {
  return !busy_ && (bpf_word(data_ + at_) & BPF_RINGBUF_DISCARD_BIT) != 0;
}

std::optional<RecordRing::Record> RecordRing::next() {
  while (tail_ != head_ && discarded()) consume();
  if (tail_ == head_) return std::nullopt;
  return Record(this, &record_at(data_ + at_));
}

void RecordRing::give_back() {
  if (given_back_ == tail_) return;
  std::atomic_ref(*kernel_tail_).store(tail_ * unit_, std::memory_order_release);
  given_back_ = tail_;
}

}  // namespace iovm::record
