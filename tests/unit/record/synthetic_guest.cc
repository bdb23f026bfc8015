// SPDX-License-Identifier: Apache-2.0
#include "unit/record/synthetic_guest.h"

#include <array>

namespace iovm::record {
namespace {

class LentMemory : public GuestMemory {
 public:
  LentMemory(const std::vector<std::byte>& bytes, SyntheticGuest::Reads& reads)
      : GuestMemory(GuestSlots({{0, 0, bytes.size()}})), bytes_(bytes), reads_(reads) {}

  bool read_host(std::uint64_t hva, std::span<std::byte> out) const override {
    ++reads_.calls;
    reads_.bytes += out.size();
    if (hva > bytes_.size() || out.size() > bytes_.size() - hva) return false;
    std::memcpy(out.data(), bytes_.data() + hva, out.size());
    return true;
  }

 private:
  const std::vector<std::byte>& bytes_;
  SyntheticGuest::Reads& reads_;
};

// Places in the image.
constexpr std::uint64_t kUts = 0x2000, kNrCpus = 0x4800, kE820 = 0x5000;
constexpr std::uint64_t kClock = 0x6000, kDirectMapBase = 0x6800, kNames = 0x8000;
constexpr std::uint64_t kNrSyms = 0x20000, kTokenTable = 0x21000, kTokenIndex = 0x22000;
constexpr std::uint64_t kSymOffsets = 0x23000, kRelativeBase = 0x29000;
constexpr std::uint64_t kTogether = 0x8000;
// Physical: of CPU 0's per-CPU data, and what a group's signal_struct has in a task's slot.
constexpr std::uint64_t kPerCpu = 0xa00000, kPerCpuBytes = 0x40000;
constexpr std::uint64_t kSignalInSlot = 2048, kMmInSlot = 3072, kTaskSlot = 4096;
constexpr std::uint32_t kCurrent = 0x1fb80;

}  // namespace

SyntheticGuest::SyntheticGuest(Options options) : options_(options), memory_(kBytes) {
  current_ = kCurrent;
  if (options_.era == Era::from_base) current_ += kPerCpuLinked;
  map_all();
  make_symbols();
  make_types();
  make_cpus();
  make_code();
  put_text(direct_map() + kInfo, vmcoreinfo());
  put_text(direct_map() + kInfo + 0x1000 + 24, vmcoreinfo());
  set_clock(1'000'000'000);
}

// A whole table of entries for one address; pages of 2 MiB or 4 KiB.
void SyntheticGuest::map(std::uint64_t root, std::uint64_t va, std::uint64_t gpa, bool huge) {
  std::uint64_t table = root;
  int last = huge ? 2 : 1;
  for (int level = options_.five_levels ? 5 : 4; level > last; --level) {
    std::uint64_t& entry = word_at(table + ((va >> (12 + 9 * (level - 1))) & 511) * 8);
    if (entry == 0) entry = new_page() | 3;
    table = entry & kPageTableMask;
  }
  word_at(table + ((va >> (12 + 9 * (last - 1))) & 511) * 8) = gpa | (huge ? 0x83 : 3);
}

void SyntheticGuest::map_all() {
  std::uint64_t step = options_.huge_pages ? 0x200000 : 0x1000;
  for (std::uint64_t at = 0; at < 0x200000; at += step)
    map(kCr3, kText + at, kImage + at, options_.huge_pages);
  for (std::uint64_t at = 0; at < kBytes; at += step)
    map(kCr3, direct_map() + at, at, options_.huge_pages);
}

std::string SyntheticGuest::vmcoreinfo() const {
  std::string text = "OSRELEASE=6.1.0-test\nBUILD-ID=0123456789abcdef\nPAGESIZE=4096\n";
  auto symbol = [&](std::string_view name, std::uint64_t at) {
    text += format("SYMBOL({})={:x}\n", name, kText + at);
  };
  symbol("_stext", 0);
  symbol("init_uts_ns", kUts);
  symbol("init_top_pgt", kCr3 - kImage);
  if (options_.era != Era::before_6_0) {
    symbol("kallsyms_names", kNames);
    symbol("kallsyms_num_syms", kNrSyms);
    symbol("kallsyms_token_table", kTokenTable);
    symbol("kallsyms_token_index", kTokenIndex);
    symbol("kallsyms_offsets", kSymOffsets);
    symbol("kallsyms_relative_base", kRelativeBase);
  }
  auto phys_base = static_cast<std::int64_t>(kImage - (kText - kKernelMap));
  return text +
         format("NUMBER(phys_base)={}\nNUMBER(pgtable_l5_enabled)={}\nKERNELOFFSET=19000000\n",
                phys_base, options_.five_levels ? 1 : 0);
}

void SyntheticGuest::make_symbols() {
  bool from_base = options_.era == Era::from_base;
  KallsymsBuilder table;
  auto add = [&](std::string name, std::uint64_t address, bool per_cpu = false) {
    auto offset = static_cast<std::uint32_t>(address - kText);
    if (!from_base) offset = static_cast<std::uint32_t>(-static_cast<std::int64_t>(offset) - 1);
    if (!from_base && per_cpu) offset = static_cast<std::uint32_t>(address);
    table.symbols.emplace_back(std::move(name), offset);
  };
  add("_stext", kText);
  add("__start_BTF", kText + kTypesAt);
  add("__stop_BTF", kText + kTypesAt + 0x8000);
  add("init_task", init_task());
  add("__per_cpu_offset", kText + kArrayAt);
  add("nr_cpu_ids", kText + kNrCpus);
  add("e820_table", kText + kE820);
  add("tk_core", kText + kClock);
  add("page_offset_base", kText + kDirectMapBase);
  add(options_.era == Era::pcpu_hot ? "pcpu_hot" : "current_task", current_, true);
  if (options_.era != Era::pcpu_hot) add("__preempt_count", current_ + 8, true);
  add("x86_cpu_to_apicid", current_ + 16, true);
  for (int i = 0; table.symbols.size() < 1200; ++i) add(format("filler_{}", i), kText + 0x100);
  if (options_.era == Era::before_6_0)
    put_symbols_together(table);
  else
    put_symbols_apart(table);
}

void SyntheticGuest::put_symbols_apart(const KallsymsBuilder& table) {
  put_bytes(kText + kNames, table.names());
  put_bytes(kText + kSymOffsets, table.offsets());
  put_bytes(kText + kTokenTable, KallsymsBuilder::token_table());
  put_bytes(kText + kTokenIndex, KallsymsBuilder::token_index());
  put(kText + kNrSyms, static_cast<std::uint32_t>(table.symbols.size()));
  put(kText + kRelativeBase, kText);
}

// One behind the other, as the linker had them.
void SyntheticGuest::put_symbols_together(const KallsymsBuilder& table) {
  std::uint64_t at = kText + kTogether;
  auto add_table = [&](const Bytes& bytes) {
    put_bytes(at, bytes);
    at += (bytes.size() + 7) / 8 * 8;
  };
  Bytes base, count;
  append(base, kText);
  append(count, static_cast<std::uint32_t>(table.symbols.size()));
  for (const Bytes& bytes : {table.offsets(), base, count, table.names(), table.markers(),
                             KallsymsBuilder::token_table(), KallsymsBuilder::token_index()})
    add_table(bytes);
}

void SyntheticGuest::lose_symbols() {
  put_bytes(kText + kTokenIndex, Bytes(512));
  if (options_.era == Era::before_6_0) put_bytes(kText + kTogether, Bytes(0x18000));
}

void SyntheticGuest::make_types() {
  BtfBuilder btf;
  btf.structure("task_struct", kTaskBytes,
                {{"flags", kFlags},
                 {"tasks", kTasks},
                 {"mm", kMm},
                 {"active_mm", kMm + 8},
                 {"pid", kPid},
                 {"tgid", kTgid},
                 {"real_parent", kParent},
                 {"thread_node", kThreadNode},
                 {"start_boottime", kStart},
                 {"comm", kComm},
                 {"signal", kSignal}});
  btf.structure("signal_struct", 64, {{"thread_head", 16}});
  btf.structure("mm_struct", 64, {{"pgd", 24}});
  btf.structure("timekeeper", 128, {{"tkr_mono", 0}, {"offs_boot", 64}});
  btf.structure("tk_read_base", 32, {{"xtime_nsec", 8}, {"base", 16}, {"shift", 24}});
  if (options_.era == Era::pcpu_hot)
    btf.structure("pcpu_hot", 64, {{"current_task", 0}, {"preempt_count", 8}});
  put_bytes(kText + kTypesAt, btf.blob());
}

std::uint64_t SyntheticGuest::gs_base(std::uint32_t cpu) const {
  std::uint64_t area = direct_map() + kPerCpu + cpu * kPerCpuBytes;
  return options_.era == Era::from_base ? area - kPerCpuLinked : area;
}

void SyntheticGuest::make_cpus() {
  put(kText + kDirectMapBase, direct_map());
  put(kText + kNrCpus, options_.cpus);
  put(kText + kE820, kText + kE820 + 64);
  put(kText + kE820 + 64, std::uint32_t{1});
  put(kText + kE820 + 68, std::uint64_t{0});
  put(kText + kE820 + 76, kBytes);
  put(kText + kE820 + 84, std::uint32_t{1});
  for (std::uint64_t list : {kTasks, kThreadNode})
    for (std::uint64_t way : {0, 8}) put(init_task() + list + way, init_task() + list);
  write_task(init_task(), 0, 0, "swapper/0", 0, 0x200002);
  // Until 6.14 the unused entries point to where the linker put the first CPU's data.
  for (std::uint64_t at = kArrayAt; options_.era != Era::from_base && at < kNrCpus; at += 8)
    put(kText + at, kText + 0x1f0000);
  for (std::uint32_t cpu = 0; cpu < options_.cpus; ++cpu) {
    put(kText + kArrayAt + 8ULL * cpu, gs_base(cpu));
    put(current_of(cpu) - 0x100, gs_base(cpu));  // this_cpu_off
    put(current_of(cpu) + 0x100, init_task());   // the idle task
    put(current_of(cpu) - 0x80, init_task());    // the scheduler's
    run(cpu, init_task());
    put(preempt_count_of(cpu), std::uint32_t{0x80000000});
    put(current_of(cpu) + 16, static_cast<std::uint16_t>(cpu * options_.apic_step));
  }
  add_task(1, "init", 1'000'000);
  add_task(2, "kthreadd", 1'000'000, 0x200000);
}

// mov %gs:X,%rax for `current`, and seldom for the scheduler's task; addl $0x200,%gs:X(%rip).
void SyntheticGuest::make_code() {
  std::uint64_t at = kText + kCodeAt;
  auto load = [&](std::uint64_t variable) {
    put(at, std::array<std::uint8_t, 5>{0x65, 0x48, 0x8b, 0x04, 0x25});
    put(at + 5, static_cast<std::uint32_t>(variable));
    at += 9;
  };
  for (int i = 0; i < 40; ++i) load(current_);
  for (int i = 0; i < 5; ++i) load(current_ - 0x80);
  for (int i = 0; i < 4; ++i) {
    put(at, std::array<std::uint8_t, 3>{0x65, 0x81, 0x05});
    put(at + 3, static_cast<std::uint32_t>(current_ + 8 - (at + 11)));
    put(at + 7, std::uint32_t{0x200});
    at += 11;
  }
}

void SyntheticGuest::write_task(std::uint64_t at, std::int32_t pid, std::int32_t tgid,
                                std::string_view comm, std::uint64_t start_ns,
                                std::uint32_t flags) {
  char name[16] = {};
  std::memcpy(name, comm.data(), std::min<std::size_t>(comm.size(), 15));
  put(at + kFlags, flags);
  put(at + kPid, pid);
  put(at + kTgid, tgid);
  put(at + kParent, init_task());
  put(at + kStart, start_ns);
  put(at + kComm, name);
}

void SyntheticGuest::link(std::uint64_t head, std::uint64_t node) {
  std::uint64_t last = word_at(physical(head + 8));
  put(node, head);
  put(node + 8, last);
  put(last, node);
  put(head + 8, node);
}

std::uint64_t SyntheticGuest::add_task(std::int32_t pid, std::string_view comm,
                                       std::uint64_t start_ns, std::uint32_t flags,
                                       std::uint64_t leader) {
  std::uint64_t at = direct_map() + next_task_;
  next_task_ += kTaskSlot;
  std::uint64_t of_group = leader == 0 ? at : leader;
  auto tgid = leader == 0 ? pid : value_at<std::int32_t>(physical(leader + kTgid));
  write_task(at, pid, tgid, comm, start_ns, flags);
  std::uint64_t signal = of_group + kSignalInSlot;
  put(at + kSignal, signal);
  if (leader == 0) {
    put(signal + 16, signal + 16);
    put(signal + 24, signal + 16);
    link(init_task() + kTasks, at + kTasks);
  }
  link(signal + 16, at + kThreadNode);
  if ((flags & 0x200000) == 0) put(at + kMm, of_group + kMmInSlot);
  if ((flags & 0x200000) == 0 && leader == 0) {
    if (next_page_ % 0x2000 != 0) new_page();
    std::uint64_t root = new_page();  // and behind it, with page table isolation, the user's
    word_at(root) = new_page() | 7;
    std::memcpy(memory_.data() + root, memory_.data() + kCr3, 4096);
    put(at + kMmInSlot + 24, direct_map() + root);
  }
  return at;
}

std::uint64_t SyntheticGuest::cr3_of(std::uint64_t task) {
  std::uint64_t mm = word_at(physical(task + kMm));
  return physical(word_at(physical(mm + 24)));
}

std::unique_ptr<GuestMemory> SyntheticGuest::memory() {
  return std::make_unique<LentMemory>(memory_, reads_);
}

}  // namespace iovm::record
