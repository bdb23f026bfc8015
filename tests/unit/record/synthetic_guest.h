// SPDX-License-Identifier: Apache-2.0
//
// A Linux guest of 16 MiB that never ran: page tables, VMCOREINFO, symbols, types, CPUs and tasks,
// laid out as a kernel lays them out, byte by byte to be bent by a test. Its memory is lent to the
// code under test, which then sees what the test changes, as with a guest that runs; every reading
// is counted, so that bounds are counts and not times.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/format.h"
#include "record/guest_kernel.h"
#include "unit/record/synthetic_btf.h"

namespace iovm::record {

class SyntheticGuest {
 public:
  // Where `current` is: until 6.1, 6.2 to 6.14, from 6.15 on; and the first of these without a word
  // in VMCOREINFO of where kallsyms is.
  enum class Era : std::uint8_t { current_task, pcpu_hot, from_base, before_6_0 };
  struct Options {
    Era era = Era::current_task;
    bool five_levels = false;
    bool huge_pages = true;
    std::uint32_t cpus = 2;
    std::uint16_t apic_step = 1;  // APIC ids of the CPUs: 0, so many, twice as many
  };
  struct Reads {
    std::uint64_t calls = 0;
    std::uint64_t bytes = 0;
  };

  static constexpr std::uint64_t kBytes = 16 << 20;
  static constexpr std::uint64_t kImage = 0x200000;  // physical; two MiB
  static constexpr std::uint64_t kText = 0xffffffff9a000000;
  static constexpr std::uint64_t kPerCpuLinked = 0xffffffff9b000000;  // from_base: in no memory
  static constexpr std::uint64_t kInfo = 0x500000;
  static constexpr std::uint64_t kCr3 = kImage + 0x1000;
  static constexpr std::uint64_t kArrayAt = 0x4000;   // in the image: __per_cpu_offset
  static constexpr std::uint64_t kTypesAt = 0x30000;  // BTF
  static constexpr std::uint64_t kCodeAt = 0x39000;   // that uses `current` and preempt_count
  // Of task_struct.
  static constexpr std::uint32_t kFlags = 44, kPid = 1264, kTgid = 1268, kParent = 1280;
  static constexpr std::uint32_t kMm = 1136, kStart = 1560, kComm = 1752, kTasks = 1056;
  static constexpr std::uint32_t kThreadNode = 1480, kSignal = 1824, kTaskBytes = 2048;

  explicit SyntheticGuest(Options options);
  SyntheticGuest() : SyntheticGuest(Options()) {}

  // A task at the end of the list; its address. With `leader` a thread of that group.
  std::uint64_t add_task(std::int32_t pid, std::string_view comm, std::uint64_t start_ns,
                         std::uint32_t flags = 0, std::uint64_t leader = 0);
  // Nothing finds them any more. (Symbols: nor does a scan.)
  void lose_symbols();
  void lose_types() { put(kText + kTypesAt, std::uint64_t{0}); }
  // What the running task of a CPU is, and the boot clock.
  void run(std::uint32_t cpu, std::uint64_t task) { put(current_of(cpu), task); }
  void set_clock(std::uint64_t ns) { put(kText + 0x6000 + 8 + 16, ns); }
  // The CR3 of a user process: its own root, in which the kernel is mapped too.
  std::uint64_t cr3_of(std::uint64_t task);

  std::uint64_t init_task() const { return kText + 0x3000; }
  std::uint64_t direct_map() const {
    return options_.five_levels ? 0xff11000000000000 : 0xffff888000000000;
  }
  std::uint64_t gs_base(std::uint32_t cpu) const;
  std::uint64_t current_variable() const { return current_; }
  std::uint64_t current_of(std::uint32_t cpu) const { return gs_base(cpu) + current_; }
  std::uint64_t preempt_count_of(std::uint32_t cpu) const { return gs_base(cpu) + current_ + 8; }
  std::uint64_t physical(std::uint64_t va) const {
    return va >= kText ? va - kText + kImage : va - direct_map();
  }

  template <typename T>
  void put(std::uint64_t va, const T& value) {
    std::memcpy(memory_.data() + physical(va), &value, sizeof value);
  }
  void put_bytes(std::uint64_t va, const Bytes& bytes) {
    std::memcpy(memory_.data() + physical(va), bytes.data(), bytes.size());
  }
  void put_text(std::uint64_t va, std::string_view text) {
    std::memcpy(memory_.data() + physical(va), text.data(), text.size());
  }
  template <typename T>
  T value_at(std::uint64_t gpa) const {
    T value;
    std::memcpy(&value, memory_.data() + gpa, sizeof value);
    return value;
  }
  // At a multiple of 8.
  std::uint64_t& word_at(std::uint64_t gpa) {
    return *reinterpret_cast<std::uint64_t*>(memory_.data() + gpa);
  }
  std::string vmcoreinfo() const;

  // The VM's memory as the code under test gets it; the guest must outlive it.
  std::unique_ptr<GuestMemory> memory();
  static KernelSearch search(GuestMemory& memory, const SearchLimits& limits = {},
                             const KnownProfile& known = {}) {
    return find_guest_kernel(memory, {RamMapping{0, kBytes}}, limits, known);
  }
  Reads& reads() { return reads_; }

 private:
  std::uint64_t new_page() { return (next_page_ += 4096) - 4096; }
  void map(std::uint64_t root, std::uint64_t va, std::uint64_t gpa, bool huge);
  void map_all();
  void make_symbols();
  void make_types();
  void make_cpus();
  void make_code();
  void put_symbols_apart(const KallsymsBuilder& table);
  void put_symbols_together(const KallsymsBuilder& table);
  void write_task(std::uint64_t at, std::int32_t pid, std::int32_t tgid, std::string_view comm,
                  std::uint64_t start_ns, std::uint32_t flags);
  void link(std::uint64_t head, std::uint64_t node);

  Options options_;
  std::uint64_t current_ = 0;  // of the variable, as the symbols have it
  std::uint64_t next_page_ = 0x100000;
  std::uint64_t next_task_ = 0x600000;
  std::vector<std::byte> memory_;
  Reads reads_;
};

}  // namespace iovm::record
