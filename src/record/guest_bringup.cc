// SPDX-License-Identifier: Apache-2.0
#include "record/guest_bringup.h"

#include <algorithm>

#include "base/format.h"
#include "base/text.h"

namespace iovm::record {
namespace {

constexpr std::uint32_t kMaxCpus = 8192;  // CONFIG_NR_CPUS at its largest
constexpr std::uint32_t kUsualCpus = 64;  // looked at where nr_cpu_ids is a constant
constexpr std::uint32_t kMaxE820 = 1024;
constexpr std::uint32_t kE820Ram = 1;
constexpr std::uint64_t kMiB = 1U << 20;

}  // namespace

Result<PageTables> check_page_tables(const GuestMemory& memory, const VmcoreInfo& info) {
  if (info.sme_mask != 0) return input_error("the guest's memory is encrypted");
  auto physical = [&](std::uint64_t va) {
    return va - kKernelMap + static_cast<std::uint64_t>(info.phys_base);
  };
  auto root = info.symbol("init_top_pgt");
  if (!root) root = info.symbol("swapper_pg_dir");
  if (!root) return input_error("no init_top_pgt");
  PageTables tables{physical(*root), info.five_levels};
  for (std::string_view name : {"_stext", "init_uts_ns"}) {
    auto va = info.symbol(name);
    auto mapping = va ? tables.walk(memory, *va) : std::nullopt;
    if (!mapping)
      return input_error(format("the root at {:#x} does not map {}", tables.root, name));
    if (mapping->gpa != physical(*va))
      return input_error(
          format("{} is mapped to {:#x}, not {:#x}", name, mapping->gpa, physical(*va)));
  }
  return tables;
}

Result<std::string> check_memory_map(const KernelSpace& kernel, std::uint64_t e820_table) {
  struct [[gnu::packed]] Entry {
    std::uint64_t start;
    std::uint64_t size;
    std::uint32_t type;
  };
  if (e820_table == 0) return std::string("where this kernel keeps its own is not known");
  auto table = kernel.value<std::uint64_t>(e820_table);  // the table itself is elsewhere
  auto count = table ? kernel.value<std::uint32_t>(*table) : std::nullopt;
  if (!count) return std::string("this kernel keeps none");
  if (*count == 0 || *count > kMaxE820) return input_error(format("{} entries", *count));
  std::uint64_t total = 0;
  std::uint64_t end = 0;
  for (std::uint32_t i = 0; i < *count; ++i) {
    auto entry = kernel.value<Entry>(*table + 4 + sizeof(Entry) * i);
    if (!entry) return input_error("its entries cannot be read");
    if (entry->type != kE820Ram) continue;
    std::uint64_t first = entry->start;
    std::uint64_t size = entry->size;
    if (!kernel.memory().slots().hva_of(first, size))
      return input_error(
          format("the guest has RAM at {:#x}-{:#x}, the arrangement has not", first, first + size));
    total += size;
    end = std::max(end, first + size);
  }
  // The last bytes below the hole and above are the firmware's; more than that missing means that
  // the arrangement has RAM where the guest has none.
  const GuestSlot& last = kernel.memory().slots().all().back();
  if (end + 64 * kMiB < last.gpa + last.size)
    return input_error(format("the guest's RAM ends at {:#x}, the arrangement's at {:#x}", end,
                              last.gpa + last.size));
  return format("{} of RAM, as the guest has it", describe_size(total));
}

Result<std::vector<GuestCpu>> read_cpus(const KernelSpace& kernel, const CpuLayout& layout) {
  std::uint32_t count = kUsualCpus;
  if (layout.nr_cpu_ids != 0)
    count = kernel.value<std::uint32_t>(layout.nr_cpu_ids).value_or(kUsualCpus);
  if (count == 0 || count > kMaxCpus) return input_error(format("nr_cpu_ids is {}", count));
  const GuestSlots& slots = kernel.memory().slots();
  auto host = [&](std::uint64_t va, std::uint64_t size) -> std::uint64_t {
    auto gpa = kernel.translate(va);
    return gpa ? slots.hva_of(*gpa, size).value_or(0) : 0;
  };
  std::vector<GuestCpu> cpus;
  for (std::uint32_t i = 0; i < count; ++i) {
    auto offset = kernel.value<std::uint64_t>(layout.per_cpu_offset + 8ULL * i);
    if (!offset) break;
    GuestCpu cpu{i, i, *offset, *offset + layout.current, host(*offset + layout.current, 8), 0};
    if (layout.apic_id)
      cpu.vcpu = kernel.value<std::uint16_t>(*offset + *layout.apic_id).value_or(i);
    auto current = kernel.value<std::uint64_t>(cpu.current);
    if (cpu.current_hva == 0 || !current ||
        !is_kernel_address(*current, kernel.tables().five_levels))
      continue;
    if (layout.preempt_count) cpu.preempt_count_hva = host(*offset + *layout.preempt_count, 4);
    bool repeated = std::any_of(cpus.begin(), cpus.end(),
                                [&](const GuestCpu& c) { return c.current == cpu.current; });
    if (!repeated) cpus.push_back(cpu);
  }
  if (cpus.empty()) return input_error("no CPU has a pointer to its running task");
  return cpus;
}

Result<std::string> check_first_task(const GuestKernel& kernel) {
  auto task = read_task(kernel.space(), kernel.layout().task, kernel.layout().init_task);
  if (!task) return input_error("init_task cannot be read");
  if (task->pid != 0 || task->comm != "swapper/0")
    return input_error(format("init_task is pid {} \"{}\", not 0 \"swapper/0\"", task->pid,
                              escape_terminal(task->comm)));
  return std::string("init_task is swapper/0");
}

Result<std::string> check_task_list(const GuestKernel& kernel, TaskWalk& walk) {
  for (int i = 0; i < 5; ++i) {  // it changes while it is walked
    walk = walk_tasks(kernel.space(), kernel.layout(), {.time = std::chrono::seconds(1)});
    if (walk.closed && !walk.tasks.empty())
      return format("{} tasks, the list closes", walk.tasks.size());
  }
  if (walk.closed) return input_error("it is empty: the guest is still booting");
  return input_error(walk.trouble);
}

Result<std::string> check_first_process(const TaskWalk& walk) {
  for (const GuestTask& task : walk.tasks)
    if (task.pid == 1) return format("pid 1 is \"{}\"", escape_terminal(task.comm));
  return input_error("none has pid 1");
}

Result<std::string> check_running_tasks(const GuestKernel& kernel, const TaskWalk& walk) {
  if (!kernel.layout().cpu) return std::string("what CPUs run is not known");
  std::size_t idle = 0;
  for (const GuestCpu& cpu : kernel.cpus()) {
    auto current = kernel.space().value<std::uint64_t>(cpu.current);
    auto task = current ? read_task(kernel.space(), kernel.layout().task, *current) : std::nullopt;
    if (!task) return input_error(format("CPU {} runs no task", cpu.number));
    if (task->pid == 0) {
      ++idle;
      continue;
    }
    // One that was born or died since the walk has a thread group of the list, or is gone again.
    bool listed = std::any_of(walk.tasks.begin(), walk.tasks.end(), [&](const GuestTask& t) {
      return t.address == task->address || t.pid == task->tgid;
    });
    if (!listed && task->start_ns <= walk.tasks.back().start_ns)
      return input_error(
          format("CPU {} runs pid {} that is not in the list", cpu.number, task->pid));
  }
  return format("CPUs: {}, of which {} idle; the others run tasks of the list",
                kernel.cpus().size(), idle);
}

}  // namespace iovm::record
