// SPDX-License-Identifier: Apache-2.0
#include "record/guest_kernel.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/format.h"
#include "base/text.h"
#include "record/guest_bringup.h"
#include "record/guest_steps.h"

namespace iovm::record {
namespace {

// Until the list of tasks closes and what CPUs run is in it.
bool self_test(GuestKernel& kernel, KernelImage& image, GuestSteps& steps) {
  TaskWalk walk;
  KernelLayout layout = kernel.layout();
  if (!steps.take(check_memory_map(kernel.space(), layout.e820_table))) return false;
  auto first = find_first_task(kernel.space(), layout, image);
  if (!first) return steps.fail(first.error().message()), false;
  layout.init_task = first->it;
  kernel.set_layout(layout);
  if (!steps.take(check_first_task(kernel), first->words, first->why_not)) return false;
  if (!steps.take(check_task_list(kernel, walk))) return false;
  if (!steps.take(check_first_process(walk))) return false;
  auto variables = find_cpus(kernel, walk, image);
  layout.cpu = variables.it;
  kernel.set_layout(layout);
  if (layout.cpu) {
    auto cpus = read_cpus(kernel.space(), *layout.cpu);
    if (!cpus) return steps.fail(cpus.error().message()), false;
    kernel.set_cpus(std::move(*cpus));
  }
  return steps.take(check_running_tasks(kernel, walk), variables.words, variables.why_not);
}

// One VMCOREINFO text, in the slots that memory has now: from its page tables to a kernel that
// passes the self-test. The steps that passed stay in `steps`; null at the first that does not.
class TextTry {
 public:
  TextTry(const GuestMemory& memory, const VmcoreInfo& info, const PageTables& tables,
          bool with_scans, GuestSteps& steps)
      : memory_(memory),
        info_(info),
        tables_(tables),
        text_(info.symbol("_stext").value_or(kKernelMap)),
        steps_(steps),
        space_(memory, tables),
        image_(space_, text_, with_scans) {}

  std::unique_ptr<GuestKernel> by_profile(const KnownProfile& known) {
    if (!known.profile) return steps_.note(known.why_not), nullptr;
    const KernelProfile& profile = *known.profile;
    if (profile.build_id() != info_.build_id)
      return steps_.note("of another build, " + profile.build_id()), nullptr;
    GuestSteps quick = steps_;
    quick.pass("of build " + profile.build_id());
    for (int symbols_and_types = 0; symbols_and_types < 2; ++symbols_and_types)
      quick.pass("in the profile");
    auto kernel = make_kernel(profile.layout_at(text_));
    if (!self_test(*kernel, image_, quick))
      return steps_.note("does not fit: " + quick.why_not()), nullptr;
    steps_ = std::move(quick);
    return kernel;
  }

  // A lesser way was taken, or would have been with scans.
  bool wants_scans() const { return image_.was_wanted(); }

  std::unique_ptr<GuestKernel> by_itself(std::optional<KernelProfile>& to_keep) {
    auto symbols = find_symbols(space_, info_, image_);
    steps_.take(symbols.words, "", symbols.why_not);
    auto types = find_types(space_, symbols.it, image_);
    if (!types) return steps_.fail(types.error().message()), nullptr;
    auto layout = layout_of(types->it, symbols.it);
    if (!layout) return steps_.fail(layout.error().message()), nullptr;
    steps_.take(types->words, format(", task_struct of {} bytes", layout->task.size),
                types->why_not);
    auto kernel = make_kernel(*layout);
    if (!self_test(*kernel, image_, steps_)) return nullptr;
    if (layout->init_task != 0 && layout->cpu && is_build_id(info_.build_id))
      to_keep = KernelProfile::of(*layout, info_.build_id, text_);
    return kernel;
  }

 private:
  std::unique_ptr<GuestKernel> make_kernel(const KernelLayout& layout) const {
    auto kernel = std::make_unique<GuestKernel>(memory_, tables_, layout);
    kernel->release = info_.release;
    kernel->build_id = info_.build_id;
    kernel->text_at = info_.hva;
    return kernel;
  }

  const GuestMemory& memory_;
  const VmcoreInfo& info_;
  PageTables tables_;
  std::uint64_t text_;
  GuestSteps& steps_;
  KernelSpace space_;
  KernelImage image_;
};

// Tries texts as they are found, first without scans of the image: any process of a guest can leave
// texts that look right at first, and a scan costs a tenth of a second. Those that need one wait
// until all others have been tried. Keeps the try that got furthest.
class Search {
 public:
  Search(GuestMemory& memory, const SearchLimits& limits, const KnownProfile& known)
      : memory_(memory), limits_(limits), known_(known) {}

  bool try_all(const VmcoreInfo& info, const std::vector<RamLayout>& layouts) {
    any_ = true;
    for (const RamLayout& layout : layouts) {
      memory_.set_slots(layout.slots);
      if (!limits_.stop() && try_one(info, layout)) return true;
    }
    return false;
  }
  void try_those_that_wait() {
    scanning_ = true;
    for (const auto& [info, layout] : waiting_) {
      memory_.set_slots(layout.slots);
      if (limits_.stop() || try_one(info, layout)) return;
    }
  }
  bool has_any() const { return any_; }

  void nothing_in(std::size_t mappings, std::uint64_t pages) {
    GuestSteps steps;
    steps.pass(format("{} {} that could be it", mappings, mappings == 1 ? "mapping" : "mappings"));
    steps.fail(
        format("none in {} pages: the guest is still booting, or runs no Linux with crash "
               "dump support",
               pages));
    keep(steps);
  }

  KernelSearch take() {
    if (result_.kernel) result_.why_not.clear();
    return std::move(result_);
  }

 private:
  bool try_one(const VmcoreInfo& info, const RamLayout& layout) {
    GuestSteps steps;
    std::uint64_t total = 0;
    for (const GuestSlot& slot : layout.slots.all()) total += slot.size;
    steps.pass(format("{}, {}", describe_size(total), layout.name));
    steps.pass(format("Linux {}", escape_terminal(info.release)));
    result_.kernel = try_text(info, layout, steps);
    if (result_.kernel) result_.kernel->ram = layout.name;
    keep(steps);
    return result_.kernel != nullptr;
  }

  std::unique_ptr<GuestKernel> try_text(const VmcoreInfo& info, const RamLayout& layout,
                                        GuestSteps& steps) {
    auto tables = check_page_tables(memory_, info);
    if (!tables) return steps.fail(tables.error().message()), nullptr;
    steps.pass(format("{} levels, root at {:#x}", tables->five_levels ? 5 : 4, tables->root));
    TextTry text(memory_, info, *tables, scanning_, steps);
    if (auto kernel = text.by_profile(known_)) return kernel;
    auto kernel = text.by_itself(result_.to_keep);
    if (scanning_ || !text.wants_scans()) return kernel;
    if (waiting_.size() < kMostWaiting) waiting_.push_back({info, layout});
    return nullptr;
  }

  void keep(const GuestSteps& steps) {
    bool further = steps.passed() > furthest_ || (scanning_ && steps.passed() == furthest_);
    if (!result_.checks.empty() && !further) return;
    furthest_ = steps.passed();
    result_.checks = steps.checks();
    result_.why_not = steps.why_not();
  }

  GuestMemory& memory_;
  const SearchLimits& limits_;
  const KnownProfile& known_;
  struct Waiting {
    VmcoreInfo info;
    RamLayout layout;
  };
  static constexpr std::size_t kMostWaiting = 256;

  KernelSearch result_;
  std::vector<Waiting> waiting_;
  std::size_t furthest_ = 0;
  bool scanning_ = false;
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
    std::uint64_t at = layout_.cpu->per_cpu_offset + 8ULL * cpu.number;
    return space_.value<std::uint64_t>(at) == cpu.gs_base;
  });
}

const GuestCheck& KernelSearch::check(std::string_view name) const {
  auto found = std::ranges::find(checks, name, &GuestCheck::name);
  IOVM_ASSERT(found != checks.end());
  return *found;
}

std::string describe_kernel(const GuestKernel& kernel) {
  std::size_t cpus = kernel.cpus().size();
  if (cpus == 0) return format("Linux {}", escape_terminal(kernel.release));
  return format("Linux {}, {} {}", escape_terminal(kernel.release), cpus,
                cpus == 1 ? "CPU" : "CPUs");
}

KernelSearch find_guest_kernel(GuestMemory& memory, const std::vector<RamMapping>& mappings,
                               const SearchLimits& limits, const KnownProfile& known) {
  Search search(memory, limits, known);
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
  search.try_those_that_wait();
  return search.take();
}

}  // namespace iovm::record
