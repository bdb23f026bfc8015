// SPDX-License-Identifier: Apache-2.0
#include "record/perf_cpu.h"

#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <ctime>

#include "base/format.h"
#include "base/text.h"

namespace iovm::record {
namespace {

constexpr std::uint64_t kFormatLost = 1U << 4;  // PERF_FORMAT_LOST, from 6.0
constexpr std::uint64_t kLargestRing = std::uint64_t{1} << 30;

UniqueFd open_event(std::uint32_t id, unsigned cpu, std::uint64_t read_format,
                    std::size_t ring_bytes) {
  perf_event_attr attr = {};
  attr.size = sizeof attr;
  attr.type = PERF_TYPE_TRACEPOINT;
  attr.config = id;
  attr.sample_period = 1;
  attr.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_RAW;
  attr.read_format = read_format;
  attr.sample_id_all = 1;
  attr.disabled = 1;
  attr.use_clockid = 1;
  attr.clockid = CLOCK_MONOTONIC;
  attr.watermark = 1;
  attr.wakeup_watermark = static_cast<std::uint32_t>(ring_bytes / 2);
  return UniqueFd(static_cast<int>(
      ::syscall(SYS_perf_event_open, &attr, -1, static_cast<int>(cpu), -1, PERF_FLAG_FD_CLOEXEC)));
}

std::string paranoid_level() {
  auto text = read_file("/proc/sys/kernel/perf_event_paranoid", 64);
  return text ? std::string(trim(*text)) : "unknown";
}

Error open_error(int error_number) {
  switch (error_number) {
    case EACCES:
    case EPERM:
      return host_error(
          format("no right to trace the kernel (run as root, or with CAP_PERFMON, or set "
                 "kernel.perf_event_paranoid to -1; it is {} now)",
                 paranoid_level()));
    case ENOSYS:
      return host_error("this kernel is built without perf events (CONFIG_PERF_EVENTS)");
    case EMFILE:
      return host_error("too many open descriptors (raise ulimit -n)");
    default:
      return errno_error("opening a tracepoint (perf_event_open)", error_number);
  }
}

}  // namespace

Result<std::optional<PerfCpu>> PerfCpu::open(unsigned cpu, std::span<const std::uint32_t> ids,
                                             std::size_t ring_bytes) {
  PerfCpu out(cpu);
  for (std::uint32_t id : ids) {
    UniqueFd fd = open_event(id, cpu, out.counts_lost_ ? kFormatLost : 0, ring_bytes);
    if (!fd && errno == EINVAL && out.counts_lost_ && out.events_.empty()) {
      out.counts_lost_ = false;
      fd = open_event(id, cpu, 0, ring_bytes);
    }
    if (!fd && errno == ENODEV) return std::optional<PerfCpu>();
    if (!fd) return open_error(errno);
    if (out.events_.empty()) {
      auto ring = PerfRing::map(fd.get(), ring_bytes);
      if (!ring) return std::move(ring).error();
      out.ring_ = std::make_unique<PerfRing>(std::move(*ring));
    } else if (::ioctl(fd.get(), PERF_EVENT_IOC_SET_OUTPUT, out.fd()) != 0) {
      return errno_error("joining a tracepoint to the ring of its CPU");
    }
    out.events_.push_back(std::move(fd));
  }
  return std::optional<PerfCpu>(std::move(out));
}

Status PerfCpu::set_filter(const std::string& filter) {
  for (const UniqueFd& event : events_) {
    if (::ioctl(event.get(), PERF_EVENT_IOC_SET_FILTER, filter.c_str()) != 0) {
      return errno_error("setting a tracepoint's filter");
    }
  }
  return {};
}

Status PerfCpu::enable() {
  for (const UniqueFd& event : events_) {
    if (::ioctl(event.get(), PERF_EVENT_IOC_ENABLE, 0) != 0) {
      return errno_error("enabling a tracepoint");
    }
  }
  return {};
}

void PerfCpu::disable() {
  for (const UniqueFd& event : events_) ::ioctl(event.get(), PERF_EVENT_IOC_DISABLE, 0);
}

PerfCpu::Totals PerfCpu::totals() const {
  Totals totals;
  if (counts_lost_) totals.lost = 0;
  for (const UniqueFd& event : events_) {
    std::array<std::uint64_t, 2> words = {};
    if (::read(event.get(), words.data(), sizeof words) < 8) continue;
    totals.fired += words[0];
    if (totals.lost) *totals.lost += words[1];
  }
  return totals;
}

Result<std::vector<unsigned>> online_cpus(const std::string& path) {
  constexpr std::uint64_t kMostCpus = 65536;
  auto text = read_file(path, 64U << 10);
  if (!text) return std::move(text).error();
  std::vector<unsigned> cpus;
  for (std::string_view range : split(trim(*text), ',')) {
    auto dash = range.find('-');
    auto first = parse_unsigned(range.substr(0, dash));
    auto last = dash == range.npos ? first : parse_unsigned(range.substr(dash + 1));
    if (!first || !last || *first > *last || *last >= kMostCpus) {
      return host_error(format("{}: not a list of CPUs", path));
    }
    for (auto cpu = *first; cpu <= *last; ++cpu) cpus.push_back(static_cast<unsigned>(cpu));
  }
  return cpus;
}

std::size_t ring_bytes_for(std::uint64_t bytes) {
  auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return static_cast<std::size_t>(std::bit_ceil(std::clamp(bytes, page, kLargestRing)));
}

void raise_descriptor_limit() {
  rlimit limit = {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace iovm::record
