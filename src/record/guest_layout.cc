// SPDX-License-Identifier: Apache-2.0
#include "record/guest_layout.h"

#include <initializer_list>
#include <string>

#include "base/format.h"

namespace iovm::record {
namespace {

constexpr std::uint32_t kMaxStructure = 65536;

// Looks members up and remembers the first that was not there.
class Lookup {
 public:
  explicit Lookup(const Btf& btf) : btf_(btf) {}

  // The offset of the first of the names that the structure has; `bytes` of it must lie inside.
  std::uint32_t operator()(std::string_view structure,
                           std::initializer_list<std::string_view> names, std::uint32_t bytes) {
    auto type = btf_.find_struct(structure);
    std::uint32_t size = type ? btf_.size_of(*type) : 0;
    for (std::string_view name : names) {
      auto found = type ? btf_.member(*type, name) : std::nullopt;
      if (!found || size > kMaxStructure || bytes > size || found->offset > size - bytes) continue;
      return found->offset;
    }
    if (missing_.empty()) missing_ = format("{}.{}", structure, *names.begin());
    return 0;
  }

  const std::string& missing() const { return missing_; }

 private:
  const Btf& btf_;
  std::string missing_;
};

TaskLayout task_layout(const Btf& btf, Lookup& at) {
  TaskLayout task;
  if (auto type = btf.find_struct("task_struct")) task.size = btf.size_of(*type);
  task.flags = at("task_struct", {"flags"}, 4);
  task.mm = at("task_struct", {"mm"}, 8);
  task.active_mm = at("task_struct", {"active_mm"}, 8);
  task.pid = at("task_struct", {"pid"}, 4);
  task.tgid = at("task_struct", {"tgid"}, 4);
  task.comm = at("task_struct", {"comm"}, kCommBytes);
  task.start_time =  // renamed in 5.5
      at("task_struct", {"start_boottime", "real_start_time", "start_time"}, 8);
  task.real_parent = at("task_struct", {"real_parent"}, 8);
  task.tasks = at("task_struct", {"tasks"}, 16);
  task.thread_node = at("task_struct", {"thread_node"}, 16);
  task.signal = at("task_struct", {"signal"}, 8);
  task.thread_head = at("signal_struct", {"thread_head"}, 16);
  task.pgd = at("mm_struct", {"pgd"}, 8);
  return task;
}

std::optional<ContainerLayout> container_layout(const Btf& btf) {
  Lookup at(btf);
  ContainerLayout c;
  c.thread_pid = at("task_struct", {"thread_pid"}, 8);
  c.level = at("pid", {"level"}, 4);
  c.numbers = at("pid", {"numbers"}, 0);
  c.upid_nr = at("upid", {"nr"}, 4);
  if (auto upid = btf.find_struct("upid")) c.upid_size = btf.size_of(*upid);
  c.cgroups = at("task_struct", {"cgroups"}, 8);
  c.dfl_cgrp = at("css_set", {"dfl_cgrp"}, 8);
  c.kn = at("cgroup", {"kn"}, 8);
  c.kn_name = at("kernfs_node", {"name"}, 8);
  c.kn_parent = at("kernfs_node", {"parent", "__parent"}, 8);
  if (!at.missing().empty()) return std::nullopt;
  return c;
}

// `current` is a per-CPU variable of its own, but in 6.2 to 6.14 a member of pcpu_hot.
std::optional<CpuLayout> cpu_layout(const Btf& btf, const Kallsyms& symbols) {
  CpuLayout cpu;
  auto array = symbols.find("__per_cpu_offset");
  if (!array) return std::nullopt;
  cpu.per_cpu_offset = *array;
  cpu.nr_cpu_ids = symbols.find("nr_cpu_ids").value_or(0);
  cpu.preempt_count = symbols.find("__preempt_count");
  cpu.apic_id = symbols.find("x86_cpu_to_apicid");
  if (auto current = symbols.find("current_task")) {
    cpu.current = *current;
    return cpu;
  }
  auto hot = symbols.find("pcpu_hot");
  auto current = btf.offset_of("pcpu_hot", "current_task");
  if (!hot || !current) return std::nullopt;
  cpu.current = *hot + *current;
  if (auto count = btf.offset_of("pcpu_hot", "preempt_count")) cpu.preempt_count = *hot + *count;
  return cpu;
}

}  // namespace

const std::set<std::string_view>& wanted_symbols() {
  static const std::set<std::string_view> wanted = {
      "__start_BTF",     "__stop_BTF",       "init_task",        "__per_cpu_offset", "nr_cpu_ids",
      "current_task",    "pcpu_hot",         "e820_table",       "__preempt_count",  "tk_core",
      "timekeeper_data", "page_offset_base", "x86_cpu_to_apicid"};
  return wanted;
}

Result<KernelLayout> layout_of(const Btf& btf, const Kallsyms& symbols) {
  KernelLayout layout;
  Lookup at(btf);
  layout.task = task_layout(btf, at);
  if (!at.missing().empty()) return input_error("the BTF has no " + at.missing());
  if (layout.task.size > kMaxStructure) return input_error("task_struct is too large");
  layout.container = container_layout(btf);
  layout.clock = clock_layout(btf, symbols);
  layout.cpu = cpu_layout(btf, symbols);
  layout.init_task = symbols.find("init_task").value_or(0);
  layout.e820_table = symbols.find("e820_table").value_or(0);
  layout.page_offset_base = symbols.find("page_offset_base").value_or(0);
  return layout;
}

}  // namespace iovm::record
