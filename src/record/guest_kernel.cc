// SPDX-License-Identifier: Apache-2.0
#include "record/guest_kernel.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/format.h"
#include "base/text.h"
#include "record/guest_bringup.h"

namespace iovm::record {
namespace {

constexpr std::array<std::string_view, 10> kSteps = {
    "RAM",        "VMCOREINFO", "page tables", "symbols",       "types",
    "memory map", "first task", "task list",   "first process", "running tasks"};

// The checks of one try, in their order.
class Steps {
 public:
  Steps() {
    for (std::string_view name : kSteps)
      checks_.push_back({std::string(name), GuestCheckState::not_reached, {}});
  }

  void pass(std::string detail) { end(GuestCheckState::ok, std::move(detail)); }
  void fail(std::string detail) { end(GuestCheckState::failed, std::move(detail)); }
  // Takes a step's result: its words, or its error.
  bool take(Result<std::string> result) {
    if (result)
      pass(std::move(*result));
    else
      fail(result.error().message());
    return static_cast<bool>(result);
  }

  std::size_t passed() const { return next_; }
  const std::vector<GuestCheck>& checks() const { return checks_; }

 private:
  void end(GuestCheckState state, std::string detail) {
    checks_[next_].state = state;
    checks_[next_].detail = std::move(detail);
    if (state == GuestCheckState::ok) ++next_;
  }

  std::vector<GuestCheck> checks_;
  std::size_t next_ = 0;
};

std::string meaning_text(const Kallsyms& symbols) {
  constexpr std::string_view kWords[] = {"absolute per-CPU", "from a base", "from their place"};
  return format("{} in kallsyms, offsets {}", symbols.count,
                kWords[static_cast<std::size_t>(symbols.meaning)]);
}

// From a VMCOREINFO text to a kernel, in the slots that memory has now. The steps that passed stay
// in `steps`; null at the first that does not.
std::unique_ptr<GuestKernel> try_vmcoreinfo(const GuestMemory& memory, const VmcoreInfo& info,
                                            Steps& steps) {
  auto tables = check_page_tables(memory, info);
  if (!tables) return steps.fail(tables.error().message()), nullptr;
  steps.pass(format("{} levels, root at {:#x}", tables->five_levels ? 5 : 4, tables->root));
  KernelSpace space(memory, *tables);

  auto places = kallsyms_tables(info);
  if (!places) return steps.fail("VMCOREINFO does not say where kallsyms is"), nullptr;
  auto symbols = read_kallsyms(space, *places, {"_stext", info.symbol("_stext").value_or(0)},
                               wanted_symbols());
  if (!symbols) return steps.fail(symbols.error().message()), nullptr;
  steps.pass(meaning_text(*symbols));

  auto btf = read_btf(space, *symbols);
  if (!btf) return steps.fail(btf.error().message()), nullptr;
  auto layout = layout_of(*btf, *symbols);
  if (!layout) return steps.fail(layout.error().message()), nullptr;
  steps.pass(format("{} types in BTF, task_struct of {} bytes", btf->types(), layout->task.size));
  if (!steps.take(check_memory_map(space, *symbols))) return nullptr;

  auto kernel = std::make_unique<GuestKernel>(memory, *tables, *layout);
  kernel->release = info.release;
  kernel->build_id = info.build_id;
  kernel->text_at = info.hva;
  return kernel;
}

bool self_test(GuestKernel& kernel, Steps& steps) {
  TaskWalk walk;
  if (!steps.take(check_first_task(kernel))) return false;
  if (!steps.take(check_task_list(kernel, walk))) return false;
  if (!steps.take(check_first_process(walk))) return false;
  auto cpus = read_cpus(kernel.space(), kernel.layout().cpu);
  if (!cpus) return steps.fail(cpus.error().message()), false;
  kernel.set_cpus(std::move(*cpus));
  return steps.take(check_running_tasks(kernel, walk));
}

// Keeps the try that got furthest.
class Search {
 public:
  Search(GuestMemory& memory, const SearchLimits& limits) : memory_(memory), limits_(limits) {}

  bool try_all(const VmcoreInfo& info, const std::vector<RamLayout>& layouts) {
    any_ = true;
    for (const RamLayout& layout : layouts) {
      memory_.set_slots(layout.slots);
      if (!limits_.stop() && try_one(info, layout)) return true;
    }
    return false;
  }
  bool has_any() const { return any_; }

  void nothing_in(std::size_t mappings, std::uint64_t pages) {
    Steps steps;
    steps.pass(format("{} {} that could be it", mappings, mappings == 1 ? "mapping" : "mappings"));
    steps.fail(
        format("none in {} pages: the guest is still booting, or runs no Linux with crash "
               "dump support",
               pages));
    keep(steps);
  }

  KernelSearch take() {
    auto failed = std::find_if(result_.checks.begin(), result_.checks.end(),
                               [](const auto& c) { return c.state == GuestCheckState::failed; });
    if (!result_.kernel && failed != result_.checks.end())
      result_.why_not = failed->name + ": " + failed->detail;
    return std::move(result_);
  }

 private:
  bool try_one(const VmcoreInfo& info, const RamLayout& layout) {
    Steps steps;
    std::uint64_t total = 0;
    for (const GuestSlot& slot : layout.slots.all()) total += slot.size;
    steps.pass(format("{}, {}", describe_size(total), layout.name));
    steps.pass(format("Linux {}", escape_terminal(info.release)));
    auto kernel = try_vmcoreinfo(memory_, info, steps);
    bool good = kernel && self_test(*kernel, steps);
    if (good) {
      kernel->ram = layout.name;
      result_.kernel = std::move(kernel);
    }
    keep(steps);
    return good;
  }

  void keep(const Steps& steps) {
    if (!result_.checks.empty() && steps.passed() <= furthest_) return;
    furthest_ = steps.passed();
    result_.checks = steps.checks();
  }

  GuestMemory& memory_;
  const SearchLimits& limits_;
  KernelSearch result_;
  std::size_t furthest_ = 0;
  bool any_ = false;  // text to try
};

}  // namespace

bool GuestKernel::confirmed_by(std::uint64_t cr3) const {
  PageTables seen{cr3 & kPageTableMask, space_.tables().five_levels};
  auto ours = space_.translate(layout_.init_task);
  for (std::uint64_t root : {seen.root, seen.root & ~kUserRootBit}) {
    seen.root = root;
    auto theirs = seen.walk(space_.memory(), layout_.init_task);
    if (ours && theirs && theirs->gpa == *ours) return true;
  }
  return false;
}

bool GuestKernel::still_there() const {
  space_.forget();
  if (!check_first_task(*this)) return false;
  return std::all_of(cpus_.begin(), cpus_.end(), [this](const GuestCpu& cpu) {
    std::uint64_t at = layout_.cpu.per_cpu_offset + 8ULL * cpu.number;
    return space_.value<std::uint64_t>(at) == cpu.gs_base;
  });
}

std::string describe_kernel(const GuestKernel& kernel) {
  std::size_t cpus = kernel.cpus().size();
  return format("Linux {}, {} {}", escape_terminal(kernel.release), cpus,
                cpus == 1 ? "CPU" : "CPUs");
}

KernelSearch find_guest_kernel(GuestMemory& memory, const std::vector<RamMapping>& mappings,
                               const SearchLimits& limits) {
  Search search(memory, limits);
  std::uint64_t pages = 0;
  bool found = false;
  for (const RamMapping& mapping : mappings) {
    std::vector<RamLayout> layouts = layouts_of(mapping, mappings);
    pages += scan_for_vmcoreinfo(memory, mapping, limits, [&](const VmcoreInfo& info) {
      return found = search.try_all(info, layouts);
    });
    if (found) return search.take();
  }
  if (!search.has_any()) search.nothing_in(mappings.size(), pages);
  return search.take();
}

}  // namespace iovm::record
