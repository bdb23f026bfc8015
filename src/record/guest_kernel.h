// SPDX-License-Identifier: Apache-2.0
//
// Finding the Linux kernel of a running guest with nothing prepared in it: from its VMM's mappings
// to a kernel whose tasks can be read, each step checked before the next is trusted (design: guest
// processes). The steps are data, named for people; `iovm doctor --vm` prints them.
//
//   RAM -> VMCOREINFO -> page tables -> symbols -> types -> layout -> memory map -> self-test
//
// Some steps have lesser ways, for kernels that do not say everything (guest_bringup.h): a profile
// kept from the last time (guest_profile.h) goes before symbols and types; kallsyms, BTF, the first
// task and the per-CPU variables are looked for in the kernel's image. At the worst it is not known
// what CPUs run, and processes are told apart by their page tables.
//
// Every arrangement of RAM and every VMCOREINFO text that was found is tried, and the first that
// passes the whole self-test is taken: init_task is "swapper/0", the list of tasks closes, process
// 1 is in it, and so is what each CPU says to be running. To forge all that, an attacker must know
// physical addresses: he is the guest's kernel already, and can lie about his own processes only.
// confirmed_by() checks against what cannot be forged, a vCPU's own CR3.
//
// Whoever asks while the guest is still booting gets no kernel and a reason; asking again later is
// the caller's part. The search reads for up to a second or two; give it a thread of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "record/guest_layout.h"
#include "record/guest_memory.h"
#include "record/guest_pagetable.h"
#include "record/guest_profile.h"
#include "record/guest_ram.h"
#include "record/guest_tasks.h"
#include "record/guest_vmcoreinfo.h"

namespace iovm::record {

// note: goes on, but not by the best way.
enum class GuestCheckState : std::uint8_t { ok, note, failed, not_reached };

struct GuestCheck {
  std::string name;  // "page tables"
  GuestCheckState state = GuestCheckState::not_reached;
  std::string detail;  // what was found, or why not: safe for a terminal
};

// One CPU of the guest's kernel: where it keeps the pointer to its running task. A source may read
// that word at the moment of an exit, by `hva`, from the vCPU's thread.
struct GuestCpu {
  std::uint32_t number = 0;   // Linux's
  std::uint32_t vcpu = 0;     // KVM's: the APIC id that it began with; Linux's if that is not known
  std::uint64_t gs_base = 0;  // in kernel mode
  std::uint64_t current = 0;  // address of the pointer: virtual, and in the VMM
  std::uint64_t current_hva = 0;
  std::uint64_t preempt_count_hva = 0;  // 0: not known
};

class GuestKernel {
 public:
  GuestKernel(const GuestMemory& memory, PageTables tables, KernelLayout layout)
      : space_(memory, tables), layout_(layout) {}

  const KernelSpace& space() const { return space_; }
  const KernelLayout& layout() const { return layout_; }
  const std::vector<GuestCpu>& cpus() const { return cpus_; }

  // True: this page table root (a CR3 seen in a vCPU) maps init_task where ours does.
  bool confirmed_by(std::uint64_t cr3) const;
  // Still the kernel that it was: init_task is where and what it was found to be, and each CPU's
  // per-CPU data are where they were.
  bool still_there() const;

  void set_layout(const KernelLayout& layout) { layout_ = layout; }
  void set_cpus(std::vector<GuestCpu> cpus) { cpus_ = std::move(cpus); }

  std::string release;
  std::string build_id;
  std::string ram;            // the arrangement's name
  std::uint64_t text_at = 0;  // the VMCOREINFO that led to it, in the VMM

 private:
  KernelSpace space_;
  KernelLayout layout_;
  std::vector<GuestCpu> cpus_;
};

// "Linux 6.1.0-56-amd64, 4 CPUs", safe for a terminal.
std::string describe_kernel(const GuestKernel& kernel);

struct KernelSearch {
  std::unique_ptr<GuestKernel> kernel;  // null: not found
  std::vector<GuestCheck>
      checks;           // of the try that was taken, or else of the one that got furthest
  std::string why_not;  // the first check that failed, in a sentence
  // Of a kernel that was found by its symbols: for the next time.
  std::optional<KernelProfile> to_keep;

  const GuestCheck& check(std::string_view name) const;
};

// A profile of this VM's guest, or why there is none.
struct KnownProfile {
  std::optional<KernelProfile> profile;
  std::string why_not;
};

// Searches `mappings`; on success memory's slots are those of the arrangement that fits.
// A guest can leave very many texts to be tried: the limits are looked at between the steps.
KernelSearch find_guest_kernel(GuestMemory& memory, const std::vector<RamMapping>& mappings,
                               const SearchLimits& limits = {}, const KnownProfile& known = {});

}  // namespace iovm::record
