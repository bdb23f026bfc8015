// SPDX-License-Identifier: Apache-2.0
#include "record/guest_profile.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>
#include <type_traits>

#include "base/format.h"
#include "base/text.h"
#include "trace/compress.h"

namespace iovm::record {
namespace {

constexpr std::string_view kHead = "iovm guest profile 1";
constexpr std::string_view kBuildId = "build-id ";
constexpr std::string_view kChecksum = "checksum ";
constexpr std::size_t kMostBuildId = 64;
constexpr std::uint64_t kMostOffset = 65536;       // in a structure
constexpr std::uint64_t kMostDistance = 1U << 30;  // in the image: KERNEL_IMAGE_SIZE

enum class Value : std::uint8_t { offset, address, per_cpu };

// Every value of a layout by its name: the one list of them, for reading and for writing.
template <typename Task, typename See>
void see_task(Task& task, See&& see) {
  see("task.size", task.size, Value::offset);
  see("task.flags", task.flags, Value::offset);
  see("task.mm", task.mm, Value::offset);
  see("task.active_mm", task.active_mm, Value::offset);
  see("task.pid", task.pid, Value::offset);
  see("task.tgid", task.tgid, Value::offset);
  see("task.comm", task.comm, Value::offset);
  see("task.start_time", task.start_time, Value::offset);
  see("task.real_parent", task.real_parent, Value::offset);
  see("task.tasks", task.tasks, Value::offset);
  see("task.thread_node", task.thread_node, Value::offset);
  see("task.signal", task.signal, Value::offset);
  see("task.thread_head", task.thread_head, Value::offset);
  see("task.pgd", task.pgd, Value::offset);
}

template <typename Container, typename See>
void see_container(Container& container, See&& see) {
  see("container.thread_pid", container.thread_pid, Value::offset);
  see("container.level", container.level, Value::offset);
  see("container.numbers", container.numbers, Value::offset);
  see("container.upid_size", container.upid_size, Value::offset);
  see("container.upid_nr", container.upid_nr, Value::offset);
  see("container.cgroups", container.cgroups, Value::offset);
  see("container.dfl_cgrp", container.dfl_cgrp, Value::offset);
  see("container.kn", container.kn, Value::offset);
  see("container.kn_name", container.kn_name, Value::offset);
  see("container.kn_parent", container.kn_parent, Value::offset);
}

template <typename Clock, typename See>
void see_clock(Clock& clock, See&& see) {
  see("clock.sequence", clock.sequence, Value::address);
  see("clock.base", clock.base, Value::address);
  see("clock.nanoseconds", clock.nanoseconds, Value::address);
  see("clock.shift", clock.shift, Value::address);
  see("clock.boot_offset", clock.boot_offset, Value::address);
}

template <typename Cpu, typename See>
void see_cpu(Cpu& cpu, See&& see) {
  see("cpu.per_cpu_offset", cpu.per_cpu_offset, Value::address);
  see("cpu.nr_cpu_ids", cpu.nr_cpu_ids, Value::address);
  see("cpu.current", cpu.current, Value::per_cpu);
  if (cpu.preempt_count) see("cpu.preempt_count", *cpu.preempt_count, Value::per_cpu);
  if (cpu.apic_id) see("cpu.apic_id", *cpu.apic_id, Value::per_cpu);
}

template <typename Layout, typename See>
void see_all(Layout& layout, See&& see) {
  see_task(layout.task, see);
  if (layout.container) see_container(*layout.container, see);
  if (layout.cpu) see_cpu(*layout.cpu, see);
  if (layout.clock) see_clock(*layout.clock, see);
  see("init_task", layout.init_task, Value::address);
  see("page_offset_base", layout.page_offset_base, Value::address);
  see("e820_table", layout.e820_table, Value::address);
}

KernelLayout moved(KernelLayout layout, std::uint64_t by, bool per_cpu_too) {
  see_all(layout, [&](const char*, auto& field, Value kind) {
    if constexpr (std::is_same_v<std::remove_reference_t<decltype(field)>, std::uint64_t>) {
      bool moves = kind == Value::address || (kind == Value::per_cpu && per_cpu_too);
      if (moves && field != 0) field += by;
    }
  });
  return layout;
}

bool is_near(std::uint64_t distance) {
  return distance < kMostDistance || -distance < kMostDistance;
}

using Values = std::map<std::string_view, std::uint64_t, std::less<>>;

Result<Values> values_in(std::string_view lines) {
  Values values;
  for (std::string_view line : split(lines, '\n')) {
    if (line.empty()) continue;
    std::size_t blank = std::min(line.find(' '), line.size() - 1);
    std::string_view digits = line.substr(blank + 1);
    std::uint64_t value = 0;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    bool good = error == std::errc() && end == digits.data() + digits.size();
    if (!good || !values.emplace(line.substr(0, blank), value).second)
      return input_error(format("\"{}\" is no line of a profile", escape_terminal(line)));
  }
  return values;
}

// Takes all the values of a layout out of the lines that were read.
Status fill(KernelLayout& layout, bool per_cpu_in_image, Values& values) {
  std::string bad;
  see_all(layout, [&](const char* name, auto& field, Value kind) {
    auto found = values.find(name);
    bool moves = kind == Value::address || (kind == Value::per_cpu && per_cpu_in_image);
    bool good = found != values.end() && (kind == Value::offset ? found->second <= kMostOffset
                                          : moves               ? is_near(found->second)
                                                                : found->second < kMostDistance);
    if (!good) {
      bad = name;
      return;
    }
    field = static_cast<std::remove_reference_t<decltype(field)>>(found->second);
    values.erase(found);
  });
  if (bad.empty() && !values.empty()) bad = escape_terminal(values.begin()->first);
  if (!bad.empty()) return input_error(format("{} is missing, unknown or out of range", bad));
  return {};
}

// The part that the checksum covers, if it does.
Result<std::string_view> checked(std::string_view text) {
  std::size_t last = text.rfind(kChecksum);
  if (text.size() > KernelProfile::kMostBytes || last == std::string_view::npos)
    return input_error("it is no profile");
  std::string_view body = text.substr(0, last);
  if (text.substr(last) !=
      format("{}{:016x}\n", kChecksum, trace::checksum(std::as_bytes(std::span(body)))))
    return input_error("its checksum is wrong");
  return body;
}

// Takes "START rest of line\n" off the text.
std::string_view take_line(std::string_view& text, std::string_view start) {
  std::size_t end = text.find('\n');
  if (!text.starts_with(start) || end == std::string_view::npos) return {};
  std::string_view rest = text.substr(start.size(), end - start.size());
  text.remove_prefix(end + 1);
  return rest;
}

}  // namespace

bool is_build_id(std::string_view text) {
  return text.size() >= 8 && text.size() <= kMostBuildId &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

KernelProfile KernelProfile::of(const KernelLayout& layout, std::string build_id,
                                std::uint64_t text) {
  KernelProfile profile;
  profile.build_id_ = std::move(build_id);
  profile.per_cpu_in_image_ = layout.cpu && is_near(layout.cpu->current - text);
  profile.layout_ = moved(layout, -text, profile.per_cpu_in_image_);
  return profile;
}

KernelLayout KernelProfile::layout_at(std::uint64_t text) const {
  return moved(layout_, text, per_cpu_in_image_);
}

std::string KernelProfile::text() const {
  std::string out = format("{}\n{}{}\n", kHead, kBuildId, build_id_);
  out += format("per_cpu_in_image {:x}\n", per_cpu_in_image_ ? 1 : 0);
  see_all(layout_, [&](const char* name, const auto& field, Value) {
    out += format("{} {:x}\n", name, field);
  });
  return out + format("{}{:016x}\n", kChecksum, trace::checksum(std::as_bytes(std::span(out))));
}

Result<KernelProfile> KernelProfile::parse(std::string_view text) {
  auto body = checked(text);
  if (!body) return std::move(body).error();
  KernelProfile profile;
  std::string_view rest = *body;
  if (!rest.starts_with(format("{}\n", kHead))) return input_error("it is of another version");
  take_line(rest, kHead);
  profile.build_id_ = take_line(rest, kBuildId);
  if (!is_build_id(profile.build_id_)) return input_error("it has no build id");
  auto values = values_in(rest);
  if (!values) return std::move(values).error();
  auto in_image = values->extract("per_cpu_in_image");
  if (in_image.empty() || in_image.mapped() > 1) return input_error("per_cpu_in_image is missing");
  profile.per_cpu_in_image_ = in_image.mapped() == 1;
  KernelLayout& layout = profile.layout_;
  if (values->contains("container.level")) layout.container.emplace();
  if (values->contains("clock.base")) layout.clock.emplace();
  if (values->contains("cpu.current")) {
    layout.cpu.emplace();
    if (values->contains("cpu.preempt_count")) layout.cpu->preempt_count = 0;
    if (values->contains("cpu.apic_id")) layout.cpu->apic_id = 0;
  }
  auto filled = fill(layout, profile.per_cpu_in_image_, *values);
  if (!filled) return std::move(filled).error();
  return profile;
}

}  // namespace iovm::record
