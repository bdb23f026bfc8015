// SPDX-License-Identifier: Apache-2.0
//
// The kernel's part, played by a test: rings in ordinary memory that a test writes as kmod/ring.c
// does (gap first, then the record; what finds no room makes the gap longer), and a session over
// them whose descriptor is an eventfd.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstring>
#include <deque>
#include <vector>

#include "base/fd.h"
#include "record/ring_session.h"

namespace iovm::record {

class FakeKmodRing {
 public:
  static constexpr std::size_t kPage = 4096;

  explicit FakeKmodRing(std::uint32_t slots, std::uint32_t cpu = 0)
      : words_((kPage + slots * sizeof(iovm_record) + 7) / 8) {
    page().abi = IOVM_ABI_VERSION;
    page().record_size = sizeof(iovm_record);
    page().slots = slots;
    page().cpu = cpu;
    page().data = kPage;
  }

  std::span<std::byte> memory() { return std::as_writable_bytes(std::span(words_)); }
  iovm_ring& page() { return *reinterpret_cast<iovm_ring*>(words_.data()); }
  std::uint64_t used() { return page().head - page().tail; }

  // A read of port `number` by vCPU 0 of VM 1, the value its number too.
  static iovm_record read_of(std::uint64_t time, std::uint64_t number) {
    iovm_record r = {};
    r.time = time;
    r.address = number;
    r.value = number & 0xff;
    r.tgid = 1, r.tid = 2, r.count = 1;
    r.present = IOVM_HAS_VALUE | IOVM_HAS_SIZE | IOVM_HAS_COUNT | IOVM_HAS_VCPU;
    r.kind = IOVM_PIO, r.direction = IOVM_READ, r.size = 1;
    return r;
  }
  // Whether it fitted.
  bool put(const iovm_record& r) {
    if (used() + (gap_ > 0 ? 2 : 1) > page().slots) {
      if (gap_++ == 0) gap_first_ = r.time;
      return false;
    }
    flush(r);
    raw(r);
    return true;
  }
  bool put(std::uint64_t time, std::uint64_t number) { return put(read_of(time, number)); }
  // The gap alone; whether there is none left.
  bool flush(iovm_record at) {
    if (gap_ == 0) return true;
    if (used() == page().slots) return false;
    at.address = gap_first_, at.value = gap_, at.count = IOVM_DROP_FULL;
    at.kind = IOVM_LOSS, at.present = IOVM_HAS_VALUE | IOVM_HAS_VCPU;
    raw(at);
    gap_ = 0;
    return true;
  }
  void raw(const iovm_record& r) {
    std::byte* slot = memory().data() + kPage + page().head % page().slots * sizeof r;
    std::memcpy(slot, &r, sizeof r);
    ++page().head;
  }

 private:
  std::vector<std::uint64_t> words_;
  std::uint64_t gap_ = 0;
  std::uint64_t gap_first_ = 0;
};

class FakeSession : public RingSession {
 public:
  explicit FakeSession(std::deque<FakeKmodRing>& rings)
      : rings_(rings), fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    wake();
  }

  Status add_vm(std::int32_t pid) override {
    added.push_back(pid);
    return {};
  }
  void remove_vm(std::int32_t pid) override { removed.push_back(pid); }
  Status add_all_vms() override {
    all = true;
    return {};
  }
  Engine engine() const override { return Engine::kmod; }
  Status set_slot(const iovm_slot& slot) override {
    slots.push_back(slot);
    return {};
  }
  Status set_guest(const iovm_guest& guest) override {
    guests.push_back(guest);
    return {};
  }
  Result<std::vector<RecordRing>> start(std::uint32_t, std::uint32_t) override {
    std::vector<RecordRing> rings;
    for (FakeKmodRing& ring : rings_) {
      auto over = RecordRing::over_kmod(ring.memory());
      if (!over) return std::move(over).error();
      rings.push_back(std::move(*over));
    }
    return rings;
  }
  Status stop() override { return {}; }
  Result<unsigned> flush() override {
    unsigned left = 0;
    for (FakeKmodRing& ring : rings_) {
      if (!ring.flush(at_end)) ++left;
    }
    return left;
  }
  Result<Totals> totals() override { return said; }
  int fd() const override { return fd_.get(); }
  void wake() {
    std::uint64_t one = 1;
    static_cast<void>(!::write(fd_.get(), &one, sizeof one));
  }

  std::vector<std::int32_t> added;
  std::vector<std::int32_t> removed;
  std::vector<iovm_slot> slots;
  std::vector<iovm_guest> guests;
  bool all = false;
  iovm_record at_end = FakeKmodRing::read_of(0, 0);  // when and whose the last losses are
  Totals said;

 private:
  std::deque<FakeKmodRing>& rings_;
  UniqueFd fd_;
};

}  // namespace iovm::record
