// SPDX-License-Identifier: Apache-2.0
//
// What stands in the records of a ring whose events were opened by record/perf_cpu.h: samples of
// TID, TIME and RAW (the least that tells who, when and what: 56 bytes for a kvm_pio), and, because
// of sample_id_all, TID and TIME at the end of every other record.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

namespace iovm::record {

struct PerfSample {
  std::int32_t pid = -1;  // of the process: the VMM
  std::int32_t tid = -1;
  std::uint64_t time = 0;
  std::span<const std::byte> raw;  // the tracepoint's payload
};

template <typename T>
T load_at(std::span<const std::byte> bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

// The body of a PERF_RECORD_SAMPLE.
inline std::optional<PerfSample> read_sample(std::span<const std::byte> body) {
  constexpr std::size_t kRaw = 20;  // pid, tid, time, length of raw
  if (body.size() < kRaw) return std::nullopt;
  std::uint32_t length = load_at<std::uint32_t>(body, 16);
  if (length > body.size() - kRaw) return std::nullopt;
  return PerfSample{load_at<std::int32_t>(body, 0), load_at<std::int32_t>(body, 4),
                    load_at<std::uint64_t>(body, 8), body.subspan(kRaw, length)};
}

// The time of any record.
inline std::optional<std::uint64_t> time_of(std::uint32_t type, std::span<const std::byte> body) {
  constexpr std::uint32_t kSample = 9;  // PERF_RECORD_SAMPLE
  if (body.size() < 16) return std::nullopt;
  return load_at<std::uint64_t>(body, type == kSample ? 8 : body.size() - 8);
}

// The count in a PERF_RECORD_LOST: id, lost, then TID and TIME.
inline std::uint64_t lost_in(std::span<const std::byte> body) {
  return body.size() < 16 ? 0 : load_at<std::uint64_t>(body, 8);
}

}  // namespace iovm::record
