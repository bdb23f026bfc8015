// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"

#include <ctime>

#include "base/format.h"

namespace iovm {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

std::int64_t read_clock(clockid_t id) {
  timespec now{};
  ::clock_gettime(id, &now);
  return static_cast<std::int64_t>(now.tv_sec) * kSecond + now.tv_nsec;
}

}  // namespace

std::uint64_t monotonic_ns() {
  return static_cast<std::uint64_t>(read_clock(CLOCK_MONOTONIC));
}

std::int64_t utc_offset_ns() {
  std::int64_t before = read_clock(CLOCK_MONOTONIC);
  std::int64_t utc = read_clock(CLOCK_REALTIME);
  std::int64_t after = read_clock(CLOCK_MONOTONIC);
  return utc - (before + (after - before) / 2);
}

std::string utc_text(std::int64_t utc_ns) {
  std::int64_t seconds = utc_ns / kSecond;
  std::int64_t rest = utc_ns % kSecond;
  if (rest < 0) {
    rest += kSecond;
    --seconds;
  }
  std::tm parts{};
  std::time_t time = static_cast<std::time_t>(seconds);
  if (::gmtime_r(&time, &parts) == nullptr) return format("@{}ns", utc_ns);
  return format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z", parts.tm_year + 1900,
                parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, rest);
}

}  // namespace iovm
