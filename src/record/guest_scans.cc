// SPDX-License-Identifier: Apache-2.0
#include "record/guest_scans.h"

#include <utility>

namespace iovm::record {
namespace {

constexpr int kMostTries = 16;  // of places that look right at first
// Magic, version, no flags, and the length of the head.
constexpr std::string_view kBtfHead("\x9f\xeb\x01\x00\x18\x00\x00\x00", 8);
constexpr std::string_view kFirstComm("swapper/0\0", 10);

bool is_own_parent(const KernelSpace& kernel, const TaskLayout& layout, std::uint64_t task) {
  return kernel.value<std::uint64_t>(task + layout.real_parent) == task;
}

}  // namespace

std::optional<Btf> scan_for_btf(KernelImage& image) {
  std::optional<Btf> found;
  int tries = 0;
  image.find(kBtfHead, [&](const KernelImage::Run& run, std::size_t at) {
    std::span<const std::byte> rest = std::span(run.bytes).subspan(at);
    auto size = btf_size(rest);
    if (!size || *size > rest.size()) return false;
    auto btf = Btf::parse({rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(*size)});
    if (btf && btf->find_struct("task_struct")) found.emplace(std::move(*btf));
    return found || ++tries == kMostTries;
  });
  return found;
}

std::optional<std::uint64_t> scan_for_first_task(const KernelSpace& kernel, KernelImage& image,
                                                 const KernelLayout& layout) {
  std::optional<std::uint64_t> found;
  int tries = 0;
  image.find(kFirstComm, [&](const KernelImage::Run& run, std::size_t at) {
    std::uint64_t address = run.address + at - layout.task.comm;
    auto task = read_task(kernel, layout.task, address);
    if (!task || task->pid != 0 || !is_own_parent(kernel, layout.task, address)) return false;
    KernelLayout with = layout;
    with.init_task = address;
    TaskWalk walk = walk_tasks(kernel, with, {});
    if (walk.closed && !walk.tasks.empty()) found = address;
    return found || ++tries == kMostTries;
  });
  return found;
}

}  // namespace iovm::record
