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
template <typename Part, typename Number>
struct Field {
  const char* name;
  Number Part::*at;
};

constexpr Field<TaskLayout, std::uint32_t> kTask[] = {
    {"task.size", &TaskLayout::size},
    {"task.flags", &TaskLayout::flags},
    {"task.mm", &TaskLayout::mm},
    {"task.active_mm", &TaskLayout::active_mm},
    {"task.pid", &TaskLayout::pid},
    {"task.tgid", &TaskLayout::tgid},
    {"task.comm", &TaskLayout::comm},
    {"task.start_time", &TaskLayout::start_time},
    {"task.real_parent", &TaskLayout::real_parent},
    {"task.tasks", &TaskLayout::tasks},
    {"task.thread_node", &TaskLayout::thread_node},
    {"task.signal", &TaskLayout::signal},
    {"task.thread_head", &TaskLayout::thread_head},
    {"task.pgd", &TaskLayout::pgd},
};
constexpr Field<ContainerLayout, std::uint32_t> kContainer[] = {
    {"container.thread_pid", &ContainerLayout::thread_pid},
    {"container.level", &ContainerLayout::level},
    {"container.numbers", &ContainerLayout::numbers},
    {"container.upid_size", &ContainerLayout::upid_size},
    {"container.upid_nr", &ContainerLayout::upid_nr},
    {"container.cgroups", &ContainerLayout::cgroups},
    {"container.dfl_cgrp", &ContainerLayout::dfl_cgrp},
    {"container.kn", &ContainerLayout::kn},
    {"container.kn_name", &ContainerLayout::kn_name},
    {"container.kn_parent", &ContainerLayout::kn_parent},
};
constexpr Field<ClockLayout, std::uint64_t> kClock[] = {
    {"clock.sequence", &ClockLayout::sequence},       {"clock.base", &ClockLayout::base},
    {"clock.nanoseconds", &ClockLayout::nanoseconds}, {"clock.shift", &ClockLayout::shift},
    {"clock.boot_offset", &ClockLayout::boot_offset},
};

// `see(name, value, kind)` for each that there is. Layout is KernelLayout, const or not.
template <typename Layout, typename See>
void see_all(Layout& layout, See&& see) {
  auto see_part = [&](auto& part, const auto& fields, Value kind) {
    for (const auto& field : fields) see(field.name, part.*field.at, kind);
  };
  see_part(layout.task, kTask, Value::offset);
  if (layout.container) see_part(*layout.container, kContainer, Value::offset);
  if (layout.clock) see_part(*layout.clock, kClock, Value::address);
  if (layout.cpu) {
    auto& cpu = *layout.cpu;
    see("cpu.per_cpu_offset", cpu.per_cpu_offset, Value::address);
    see("cpu.nr_cpu_ids", cpu.nr_cpu_ids, Value::address);
    see("cpu.current", cpu.current, Value::per_cpu);
    if (cpu.preempt_count) see("cpu.preempt_count", *cpu.preempt_count, Value::per_cpu);
    if (cpu.apic_id) see("cpu.apic_id", *cpu.apic_id, Value::per_cpu);
  }
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
