// SPDX-License-Identifier: Apache-2.0
#include "record/guest_clock.h"

namespace iovm::record {
namespace {

constexpr std::uint64_t kLatest = 1ULL << 60;  // 36 years: no guest is up for longer

// struct tk_core is a sequence counter and the timekeeper, aligned; unnamed until 6.13, so without
// types of its own. From 6.17 it is the first element of timekeeper_data.
std::optional<std::uint64_t> timekeeper_offset(const Btf& btf) {
  if (auto offset = btf.offset_of("tk_data", "timekeeper")) return *offset;
  return 8;
}

}  // namespace

std::optional<ClockLayout> clock_layout(const Btf& btf, const Kallsyms& symbols) {
  auto core = symbols.find("timekeeper_data");
  if (!core) core = symbols.find("tk_core");
  auto mono = btf.offset_of("timekeeper", "tkr_mono");
  auto boot = btf.offset_of("timekeeper", "offs_boot");
  auto base = btf.offset_of("tk_read_base", "base");
  auto nanoseconds = btf.offset_of("tk_read_base", "xtime_nsec");
  auto shift = btf.offset_of("tk_read_base", "shift");
  if (!core || !mono || !boot || !base || !nanoseconds || !shift) return std::nullopt;
  std::uint64_t keeper = *core + timekeeper_offset(btf).value_or(8);
  return ClockLayout{*core + btf.offset_of("tk_data", "seq").value_or(0), keeper + *mono + *base,
                     keeper + *mono + *nanoseconds, keeper + *mono + *shift, keeper + *boot};
}

std::optional<std::uint64_t> read_boot_clock(const KernelSpace& kernel, const ClockLayout& layout) {
  for (int i = 0; i < 3; ++i) {
    auto before = kernel.value<std::uint32_t>(layout.sequence);
    auto base = kernel.value<std::uint64_t>(layout.base);
    auto nanoseconds = kernel.value<std::uint64_t>(layout.nanoseconds);
    auto shift = kernel.value<std::uint32_t>(layout.shift);
    auto boot = kernel.value<std::uint64_t>(layout.boot_offset);
    auto after = kernel.value<std::uint32_t>(layout.sequence);
    if (!before || !base || !nanoseconds || !shift || !boot || !after) return std::nullopt;
    if (*before != *after || (*before & 1) != 0) continue;
    if (*shift > 63 || *base > kLatest || *boot > kLatest) return std::nullopt;
    return *base + (*nanoseconds >> *shift) + *boot;
  }
  return std::nullopt;
}

void GuestClock::sample(std::uint64_t host, std::uint64_t guest) {
  if (guest > kLatest || host > kLatest) return;
  std::int64_t difference = static_cast<std::int64_t>(host) - static_cast<std::int64_t>(guest);
  while (!samples_.empty() && samples_.back().difference >= difference) samples_.pop_back();
  samples_.push_back({host, difference});
  while (samples_.front().host + kMemory < host) samples_.pop_front();
}

std::optional<std::uint64_t> GuestClock::host_time_by(std::uint64_t guest) const {
  if (samples_.empty() || guest > kLatest) return std::nullopt;
  std::int64_t time = static_cast<std::int64_t>(guest) + samples_.front().difference;
  return time > 0 ? static_cast<std::uint64_t>(time) : 0;
}

}  // namespace iovm::record
