// SPDX-License-Identifier: Apache-2.0
//
// A perf ring in ordinary memory, with the kernel's part played by the test: it writes records at
// data_head, round the end if need be, and refuses what does not fit.
#pragma once

#include <linux/perf_event.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace iovm::record {

class FakeRing {
 public:
  explicit FakeRing(std::size_t data_pages = 1)
      : page_(static_cast<std::size_t>(::sysconf(_SC_PAGESIZE))),
        words_((1 + data_pages) * page_ / 8) {}

  std::span<std::byte> memory() { return std::as_writable_bytes(std::span(words_)); }
  perf_event_mmap_page& head_page() {
    return *reinterpret_cast<perf_event_mmap_page*>(words_.data());
  }
  std::size_t size() const { return words_.size() * 8 - page_; }

  // Whether it fitted.
  bool write(std::uint32_t type, std::span<const std::byte> body, std::uint16_t told) {
    if (head_page().data_head + 8 + body.size() - head_page().data_tail > size()) {
      return false;
    }
    perf_event_header header = {type, 0, told};
    put(std::as_bytes(std::span(&header, 1)));
    put(body);
    return true;
  }
  bool write(std::uint32_t type, std::span<const std::byte> body) {
    return write(type, body, static_cast<std::uint16_t>(8 + body.size()));
  }
  // A sample with the least that a sample has, and `number` as its raw bytes.
  bool sample(std::uint64_t time, std::uint32_t number, std::uint32_t tid = 1) {
    struct {
      std::uint32_t pid, tid;
      std::uint64_t time;
      std::uint32_t length, number;
    } body = {1, tid, time, 4, number};
    return write(PERF_RECORD_SAMPLE, std::as_bytes(std::span(&body, 1)));
  }
  bool lost(std::uint64_t time, std::uint64_t count) {
    struct {
      std::uint64_t id, count;
      std::uint32_t pid, tid;
      std::uint64_t time;
    } body = {7, count, 1, 1, time};
    return write(PERF_RECORD_LOST, std::as_bytes(std::span(&body, 1)));
  }

 private:
  void put(std::span<const std::byte> bytes) {
    for (std::byte b : bytes) {
      memory()[page_ + static_cast<std::size_t>(head_page().data_head % size())] = b;
      ++head_page().data_head;
    }
  }

  std::size_t page_;
  std::vector<std::uint64_t> words_;  // aligned as the kernel's pages are
};

}  // namespace iovm::record
