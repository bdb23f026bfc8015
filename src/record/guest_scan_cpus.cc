// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "record/guest_scans.h"

namespace iovm::record {
namespace {

using Run = KernelImage::Run;
using Counts = std::unordered_map<std::uint64_t, std::uint64_t>;

constexpr std::uint64_t kPage = 4096;
constexpr std::size_t kUnused = 8;           // entries of the array at least, that are all the same
constexpr std::size_t kMostCpus = 512;       // looked for in the array
constexpr std::size_t kMostAreas = 8;        // CPUs whose data are compared
constexpr std::size_t kMostTries = 16;       // arrays
constexpr std::uint64_t kArea = 512U << 10;  // of one CPU's; a kernel has some 200 KiB
constexpr std::uint64_t kOftenRead = 32;     // `current` is read thousands of times
constexpr std::uint64_t kOftenCounted = 3;   // preempt_count, with a constant, in a few places

// One CPU's data; what cannot be read is zero.
std::vector<std::uint64_t> area_at(const KernelSpace& kernel, std::uint64_t address) {
  std::vector<std::uint64_t> words(kArea / 8);
  std::span<std::byte> bytes = std::as_writable_bytes(std::span(words));
  for (std::uint64_t at = 0; at < kArea; at += kPage) {
    auto page = bytes.subspan(at, kPage);
    if (!kernel.read(address + at, page)) std::fill(page.begin(), page.end(), std::byte{0});
  }
  return words;
}

struct Areas {
  std::uint64_t array = 0;  // address of __per_cpu_offset
  std::vector<std::vector<std::uint64_t>> of;
};

// Looks for the array in one run.
class ArrayScan {
 public:
  ArrayScan(const KernelSpace& kernel, KernelImage& image, const Run& run)
      : kernel_(kernel), image_(image), run_(run), words_(run.bytes.size() / 8) {}

  std::optional<Areas> find(std::size_t& tries) {
    for (std::size_t i = 1; i + kUnused <= words_; ++i) {
      std::uint64_t rest = word(i);
      if (rest == word(i - 1) || !image_.spans(rest) || !is_rest(i)) continue;
      for (std::size_t first = begin_of(i); first < i; ++first) {
        if (++tries > kMostTries) return std::nullopt;
        if (auto areas = areas_of(first, i)) return areas;
      }
    }
    return std::nullopt;
  }

 private:
  std::uint64_t word(std::size_t i) const { return run_.at<std::uint64_t>(8 * i); }
  bool is_rest(std::size_t i) const {
    for (std::size_t k = 1; k < kUnused; ++k)
      if (word(i + k) != word(i)) return false;
    return true;
  }
  bool can_be_area(std::uint64_t address) {
    return address % kPage == 0 && is_kernel_address(address, kernel_.tables().five_levels) &&
           !image_.spans(address);
  }
  std::size_t begin_of(std::size_t end) {
    std::size_t first = end;
    while (first > 0 && end - first < kMostCpus && can_be_area(word(first - 1))) --first;
    return first;
  }
  // Whether some word of each area is the area's own address, the same word in all.
  std::optional<Areas> areas_of(std::size_t first, std::size_t end) const {
    Areas areas{run_.address + 8 * first, {}};
    for (std::size_t i = first; i < end && areas.of.size() < kMostAreas; ++i)
      areas.of.push_back(area_at(kernel_, word(i)));
    for (std::size_t at = 0; at < kArea / 8; ++at) {
      bool own = true;
      for (std::size_t cpu = 0; cpu < areas.of.size() && own; ++cpu)
        own = areas.of[cpu][at] == word(first + cpu);
      if (own) return areas;
    }
    return std::nullopt;
  }

  const KernelSpace& kernel_;
  KernelImage& image_;
  const Run& run_;
  std::size_t words_;
};

// The variables that point to a known task, or the idle task, on every CPU.
std::unordered_set<std::uint64_t> task_pointers(const KernelSpace& kernel,
                                                const KernelLayout& layout, const TaskWalk& tasks,
                                                const Areas& areas) {
  std::map<std::uint64_t, bool> known;
  for (const GuestTask& task : tasks.tasks) known.emplace(task.address, true);
  auto is_task = [&](std::uint64_t address) {
    if (!is_kernel_address(address, kernel.tables().five_levels)) return false;
    auto [at, is_new] = known.try_emplace(address, false);
    if (is_new) {
      auto task = read_task(kernel, layout.task, address);
      at->second = task && task->pid == 0;
    }
    return at->second;
  };
  std::unordered_set<std::uint64_t> found;
  for (std::size_t at = 0; at < kArea / 8; ++at) {
    bool all = std::ranges::all_of(areas.of, [&](const auto& area) { return is_task(area[at]); });
    if (all) found.insert(8 * at);
  }
  return found;
}

// How often the code reads each of them: mov %gs:X,%reg, 65 48 8b /r with X as 32 bits.
Counts reads_of(KernelImage& image, const std::unordered_set<std::uint64_t>& variables) {
  Counts counts;
  image.find("\x65\x48\x8b", [&](const Run& run, std::size_t at) {
    if (at + 9 > run.bytes.size()) return true;
    bool absolute =
        (run.at<std::uint8_t>(at + 3) & 0xc7) == 0x04 && run.at<std::uint8_t>(at + 4) == 0x25;
    std::uint64_t variable = run.at<std::uint32_t>(at + 5);
    if (absolute && variables.contains(variable)) ++counts[variable];
    return false;
  });
  return counts;
}

// Where constants of softirqs, hardirqs and NMIs are added: addl $Y,%gs:X(%rip), 65 81 05 X Y.
Counts preempt_counts(KernelImage& image) {
  constexpr std::uint32_t kNotOfIt = 0xff0000ff;
  Counts counts;
  image.find("\x65\x81\x05", [&](const Run& run, std::size_t at) {
    if (at + 11 > run.bytes.size()) return true;
    auto added = run.at<std::uint32_t>(at + 7);
    std::uint64_t variable = run.address + at + 11 +
                             static_cast<std::uint64_t>(std::int64_t{run.at<std::int32_t>(at + 3)});
    if (added != 0 && (added & kNotOfIt) == 0 && variable < kArea && variable % 4 == 0)
      ++counts[variable];
    return false;
  });
  return counts;
}

// The one that is counted far more often than all others.
std::optional<std::uint64_t> leader(const Counts& counts, std::uint64_t fewest) {
  std::uint64_t second = 0;
  std::pair<std::uint64_t, std::uint64_t> first = {};  // count, variable
  for (const auto& [variable, count] : counts) {
    if (count > first.first) {
      second = std::exchange(first, {count, variable}).first;
    } else {
      second = std::max(second, count);
    }
  }
  if (first.first < fewest || first.first < 4 * second) return std::nullopt;
  return first.second;
}

}  // namespace

Result<CpuLayout> scan_for_cpus(const KernelSpace& kernel, KernelImage& image,
                                const KernelLayout& layout, const TaskWalk& tasks) {
  std::optional<Areas> areas;
  std::size_t tries = 0;
  for (const Run& run : image.runs())
    if (!areas) areas = ArrayScan(kernel, image, run).find(tries);
  if (!areas) return input_error("no array of per-CPU data is in the kernel's image");
  auto current = leader(reads_of(image, task_pointers(kernel, layout, tasks, *areas)), kOftenRead);
  if (!current)
    return input_error("which per-CPU variable is the running task is not clear from the code");
  auto count = leader(preempt_counts(image), kOftenCounted);
  if (!count) return input_error("where interrupts are counted is not clear from the code");
  return CpuLayout{areas->array, 0, *current, *count, std::nullopt};
}

}  // namespace iovm::record
