// SPDX-License-Identifier: Apache-2.0
#include "record/perf_ring.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>

#include "base/assert.h"
#include "base/format.h"
#include "base/text.h"

namespace iovm::record {
namespace {

std::size_t page_bytes() {
  return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

Error map_error(int error_number, std::size_t bytes) {
  if (error_number == EPERM) {
    return host_error(format(
        "a ring of {} for each CPU is more memory than this user may lock (run as root or with "
        "CAP_IPC_LOCK, raise kernel.perf_event_mlock_kb or ulimit -l, or use a smaller --buffer)",
        describe_size(bytes)));
  }
  return errno_error(
      format("mapping a ring of {} for each CPU (try a smaller --buffer)", describe_size(bytes)),
      error_number);
}

}  // namespace

void PerfRing::Unmap::operator()(void* memory) const {
  ::munmap(memory, length);
}

Result<PerfRing> PerfRing::map(int fd, std::size_t data_bytes) {
  IOVM_ASSERT(std::has_single_bit(data_bytes) && data_bytes >= page_bytes());
  std::size_t length = data_bytes + page_bytes();
  void* memory = ::mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) return map_error(errno, data_bytes);
  PerfRing ring = over({static_cast<std::byte*>(memory), length});
  ring.mapping_ = {memory, Unmap{length}};
  return ring;
}

PerfRing PerfRing::over(std::span<std::byte> memory) {
  IOVM_ASSERT(memory.size() > page_bytes());
  PerfRing ring;
  ring.page_ = reinterpret_cast<perf_event_mmap_page*>(memory.data());
  ring.data_ = memory.data() + page_bytes();
  ring.size_ = memory.size() - page_bytes();
  IOVM_ASSERT(std::has_single_bit(ring.size_));
  ring.tail_ = ring.given_back_ = ring.head_ = ring.page_->data_tail;
  return ring;
}

void PerfRing::look() {
  std::uint64_t head = std::atomic_ref<__u64>(page_->data_head).load(std::memory_order_acquire);
  head_ = std::max<std::uint64_t>(head, head_);
  floor_ = given_back_;
}

bool PerfRing::may_have_been_full() const {
  constexpr std::uint64_t kLongestRecord = 256;
  std::uint64_t head = std::atomic_ref<__u64>(page_->data_head).load(std::memory_order_acquire);
  return head - floor_ + kLongestRecord > size_;
}

void PerfRing::give_back() {
  if (given_back_ == tail_) return;
  given_back_ = tail_;
  std::atomic_ref<__u64>(page_->data_tail).store(tail_, std::memory_order_release);
}

std::span<const std::byte> PerfRing::bytes_at(std::uint64_t position, std::size_t length) {
  auto begin = static_cast<std::size_t>(position & (size_ - 1));
  std::size_t first = std::min(length, size_ - begin);
  if (first == length) return {data_ + begin, length};
  joined_.resize(length);
  std::memcpy(joined_.data(), data_ + begin, first);
  std::memcpy(joined_.data() + first, data_, length - first);
  return joined_;
}

std::optional<PerfRing::Record> PerfRing::next() {
  if (tail_ == head_) return std::nullopt;
  std::size_t noted = unread();
  perf_event_header header = {};
  if (noted >= sizeof header) {
    std::memcpy(&header, bytes_at(tail_, sizeof header).data(), sizeof header);
  }
  // The kernel writes whole records of a multiple of 8 bytes. Anything else is memory gone bad, and
  // where the next record begins cannot be known.
  bool whole = header.size >= sizeof header && header.size % 8 == 0 && header.size <= noted &&
               noted <= size_;
  if (!whole) {
    torn_ += noted;
    tail_ = head_;
    give_back();
    return std::nullopt;
  }
  return Record(this, bytes_at(tail_, header.size));
}

}  // namespace iovm::record
