// SPDX-License-Identifier: Apache-2.0
#include "record/record_ring.h"

#include <sys/mman.h>

#include <atomic>

#include "base/format.h"

namespace iovm::record {
namespace {

// Longer than a CPU's stores stay in its own buffer before the others see them.
constexpr std::uint64_t kStoreBuffer = 10'000;  // ns
// A record takes well under a microsecond: most that are being made are done by the next look.
constexpr int kLooks = 64;

}  // namespace

void RecordRing::Unmap::operator()(void* memory) const {
  ::munmap(memory, length);
}

Result<RecordRing> RecordRing::map(int fd, std::uint64_t offset, std::size_t bytes) {
  void* memory =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, static_cast<off_t>(offset));
  if (memory == MAP_FAILED) return errno_error("mapping a ring of iovm.ko");
  std::unique_ptr<void, Unmap> mapping(memory, Unmap{bytes});
  auto ring = over({static_cast<std::byte*>(memory), bytes});
  if (!ring) return std::move(ring).error();
  ring->mapping_ = std::move(mapping);
  return ring;
}

Result<RecordRing> RecordRing::over(std::span<std::byte> memory) {
  if (memory.size() < sizeof(iovm_ring)) return input_error("a ring without a header");
  RecordRing ring;
  ring.page_ = reinterpret_cast<iovm_ring*>(memory.data());
  const iovm_ring& page = *ring.page_;
  if (page.abi != IOVM_ABI_VERSION || page.record_size != sizeof(iovm_record)) {
    return input_error(format("a ring of ABI {} with records of {} bytes; this iovm reads ABI {}",
                              page.abi, page.record_size, static_cast<int>(IOVM_ABI_VERSION)));
  }
  bool fits = page.slots > 0 && page.data >= sizeof(iovm_ring) && page.data <= memory.size() &&
              page.data % alignof(iovm_record) == 0 &&
              page.slots <= (memory.size() - page.data) / sizeof(iovm_record);
  if (!fits) return input_error(format("a ring of {} slots that do not fit in it", page.slots));
  ring.slots_ = page.slots;
  ring.records_ = reinterpret_cast<const iovm_record*>(memory.data() + page.data);
  return ring;
}

std::uint64_t RecordRing::look(std::uint64_t now) {
  bool busy = true;
  for (int i = 0; i < kLooks && busy; ++i) {
    busy = std::atomic_ref(page_->busy).load(std::memory_order_acquire) != 0;
  }
  std::uint64_t head = std::atomic_ref(page_->head).load(std::memory_order_acquire);
  // The module never has more than all slots in use.
  if (head - tail_ <= slots_) head_ = head;
  if (head_ > tail_) {
    newest_ = records_[(at_ + (head_ - tail_ - 1)) % slots_].time;
  }
  return busy ? newest_ : now - kStoreBuffer;
}

std::optional<RecordRing::Record> RecordRing::next() {
  if (tail_ == head_) return std::nullopt;
  return Record(this, &records_[at_]);
}

void RecordRing::give_back() {
  if (given_back_ == tail_) return;
  std::atomic_ref(page_->tail).store(tail_, std::memory_order_release);
  given_back_ = tail_;
}

}  // namespace iovm::record
