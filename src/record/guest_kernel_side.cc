// SPDX-License-Identifier: Apache-2.0
#include "record/guest_kernel_side.h"

namespace iovm::record {
namespace {

// Where the direct map is without KASLR (arch/x86/include/asm/page_64_types.h).
constexpr std::uint64_t kDirectMap4 = 0xffff888000000000;
constexpr std::uint64_t kDirectMap5 = 0xff11000000000000;
constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kGiB = 1U << 30;

std::uint64_t direct_map_of(const GuestKernel& kernel) {
  const KernelSpace& space = kernel.space();
  const KernelLayout& layout = kernel.layout();
  if (layout.page_offset_base != 0)
    if (auto base = space.value<std::uint64_t>(layout.page_offset_base)) return *base;
  // Without the symbol: every task but the first lies in the direct map.
  auto second = space.value<std::uint64_t>(layout.init_task + layout.task.tasks);
  auto gpa = second ? space.translate(*second) : std::nullopt;
  if (gpa && (*second - *gpa) % kGiB == 0) return *second - *gpa;
  return space.tables().five_levels ? kDirectMap5 : kDirectMap4;
}

// Some page of the slot is mapped where the direct map should have it. (The first page of all need
// not be mapped, nor one that belongs to the kernel's text.)
bool agrees(const KernelSpace& space, std::uint64_t direct_map, const GuestSlot& slot) {
  for (std::uint64_t part = 1; part <= 4; ++part) {
    std::uint64_t gpa = (slot.gpa + slot.size / 4 * part - kPage) & ~(kPage - 1);
    auto mapped = space.translate(direct_map + gpa);
    if (mapped) return *mapped == gpa;
  }
  return false;
}

void add_range(iovm_guest& guest, std::uint64_t at, std::uint64_t bytes, std::uint64_t vmm) {
  if (guest.ranges < IOVM_MAX_RANGES) guest.range[guest.ranges++] = {at, bytes, vmm};
}

}  // namespace

iovm_guest kernel_side_of(const GuestKernel& kernel, std::int64_t vmm) {
  const KernelSpace& space = kernel.space();
  const TaskLayout& task = kernel.layout().task;
  iovm_guest guest = {};
  guest.tgid = static_cast<std::uint32_t>(vmm);
  std::uint64_t init_task = kernel.layout().init_task;
  auto gpa = space.translate(init_task);
  auto hva = gpa ? space.memory().slots().hva_of(*gpa, task.size) : std::nullopt;
  if (hva) add_range(guest, init_task, task.size, *hva);
  std::uint64_t direct_map = direct_map_of(kernel);
  for (const GuestSlot& slot : space.memory().slots().all())
    if (agrees(space, direct_map, slot))
      add_range(guest, direct_map + slot.gpa, slot.size, slot.hva);
  guest.pid = task.pid;
  guest.process = task.tgid;
  guest.start_time = task.start_time;
  guest.mm = task.mm;
  guest.flags = task.flags;
  guest.comm = task.comm;
  return guest;
}

}  // namespace iovm::record
