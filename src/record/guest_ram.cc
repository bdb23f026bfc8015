// SPDX-License-Identifier: Apache-2.0
#include "record/guest_ram.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <optional>

#include "base/fd.h"
#include "base/format.h"
#include "base/text.h"

namespace iovm::record {
namespace {

constexpr std::uint64_t kMiB = 1U << 20;
constexpr std::uint64_t kGiB = 1ULL << 30;
constexpr std::uint64_t kFour = 4 * kGiB;
constexpr std::uint64_t kSmallest = 16 * kMiB;  // no Linux boots in less
constexpr std::uint64_t kLargest = 1ULL << 44;  // 16 TiB

struct Line {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  std::string_view rights;
  std::string_view name;
};

std::optional<std::uint64_t> hex(std::string_view text) {
  std::uint64_t v = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), v, 16);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return v;
}

// START-END RIGHTS OFFSET DEVICE INODE   NAME
std::optional<Line> parse_line(std::string_view text) {
  std::string_view fields[5];
  for (std::string_view& field : fields) {
    std::size_t space = std::min(text.find(' '), text.size());
    field = text.substr(0, space);
    text.remove_prefix(std::min(space + 1, text.size()));
  }
  std::size_t dash = fields[0].find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  auto start = hex(fields[0].substr(0, dash));
  auto end = hex(fields[0].substr(dash + 1));
  if (!start || !end || *end <= *start) return std::nullopt;
  return Line{*start, *end, fields[1], trim(text)};
}

bool can_be_ram(const Line& line) {
  if (!line.rights.starts_with("rw-")) return false;
  if (line.name.empty() || line.name.starts_with("[anon")) return true;
  for (std::string_view start : {"/memfd:", "/dev/shm/", "/dev/zero", "/dev/hugepages",
                                 "/anon_huge", "/SYSV", "/run/", "/tmp/"})
    if (line.name.starts_with(start)) return true;
  return line.name.find("hugepages") != std::string_view::npos ||
         line.name.find("/ram") != std::string_view::npos;  // libvirt's file-backed memory
}

std::string in_gib(std::uint64_t bytes) {
  return format("{} GiB", static_cast<double>(bytes) / static_cast<double>(kGiB));
}

// The part of RAM that lies below the hole, by machine. Several machines share a number.
constexpr std::uint64_t kHoles[] = {
    3 * kGiB,    // QEMU pc, microvm; cloud-hypervisor, crosvm
    2 * kGiB,    // QEMU q35 from 2.75 GiB on
    0xb0000000,  // QEMU q35, a little below that
    0xe0000000,  // QEMU pc below 3.5 GiB; Xen's
    0xd0000000,  // Firecracker, kvmtool
};

}  // namespace

std::vector<RamMapping> find_ram(std::string_view maps, std::uint64_t memory) {
  std::vector<RamMapping> found;
  // mbind() and madvise() cut one mapping into several lines, and the kernel puts a neighbour's
  // memory on the same line: so both a line alone and a run of lines are candidates.
  RamMapping run;
  std::size_t run_lines = 0;
  std::string_view run_name;
  auto end_run = [&] {
    if (run_lines > 1) found.push_back(run);
    run_lines = 0;
  };
  for (std::string_view text : split(maps, '\n')) {
    auto line = parse_line(text);
    if (!line || !can_be_ram(*line)) continue;
    RamMapping mapping{line->start, line->end - line->start};
    found.push_back(mapping);
    if (run_lines > 0 && run.start + run.size == mapping.start && run_name == line->name) {
      run.size += mapping.size;
      ++run_lines;
      continue;
    }
    end_run();
    run = mapping;
    run_name = line->name;
    run_lines = 1;
  }
  end_run();
  std::erase_if(found, [](const RamMapping& m) { return m.size < kSmallest || m.size > kLargest; });
  std::stable_sort(found.begin(), found.end(), [&](const RamMapping& a, const RamMapping& b) {
    if ((a.size == memory) != (b.size == memory)) return a.size == memory;
    return a.size > b.size;
  });
  if (found.size() > kMaxRamMappings) found.resize(kMaxRamMappings);
  return found;
}

Result<std::vector<RamMapping>> find_ram(const std::string& proc_root, std::int64_t pid,
                                         std::uint64_t memory) {
  auto maps = read_file(format("{}/{}/maps", proc_root, pid));
  if (!maps) return std::move(maps).error().in(format("looking for the RAM of VM {}", pid));
  std::vector<RamMapping> found = find_ram(*maps, memory);
  if (found.empty())
    return input_error(format("process {} has no mapping that could be a guest's RAM", pid));
  return found;
}

std::vector<std::uint64_t> holes_in(const RamMapping& mapping) {
  std::vector<std::uint64_t> holes;
  std::ranges::copy_if(kHoles, std::back_inserter(holes),
                       [&](std::uint64_t hole) { return hole < mapping.size; });
  return holes;
}

std::vector<RamLayout> layouts_of(const RamMapping& mapping,
                                  const std::vector<RamMapping>& others) {
  std::vector<RamLayout> layouts;
  auto one_block = [&] {
    layouts.push_back({"one block", GuestSlots({{0, mapping.start, mapping.size}})});
  };
  auto split_at = [&](std::uint64_t hole) {
    layouts.push_back({"split at " + in_gib(hole),
                       GuestSlots({{0, mapping.start, hole},
                                   {kFour, mapping.start + hole, mapping.size - hole}})});
  };
  // The part above 4 GiB in a mapping of its own.
  for (std::uint64_t hole : kHoles) {
    if (mapping.size != hole) continue;
    for (const RamMapping& other : others)
      if (other != mapping)
        layouts.push_back(
            {"two mappings, hole at " + in_gib(hole),
             GuestSlots({{0, mapping.start, hole}, {kFour, other.start, other.size}})});
  }
  if (mapping.size <= 2 * kGiB) one_block();
  for (std::uint64_t hole : kHoles)
    if (mapping.size > hole) split_at(hole);
  if (mapping.size > 2 * kGiB && mapping.size <= 0xe0000000) one_block();
  return layouts;
}

}  // namespace iovm::record
