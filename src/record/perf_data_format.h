// SPDX-License-Identifier: Apache-2.0
//
// The facts of perf.data that the import needs: numbers of linux/perf_event.h and of perf's own
// file (tools/perf/util/header.h), and the limits that iovm puts on a foreign file. There are two
// forms. A file: head, attributes, records, then "features" (among them the tracepoints' formats).
// A pipe (`perf record -o -`): a short head, then nothing but records, which bring attributes,
// formats and features along.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace iovm::record::perf {

inline constexpr std::string_view kMagic = "PERFILE2";
inline constexpr std::string_view kMagicSwapped = "2ELIFREP";  // written by a big-endian machine
inline constexpr std::size_t kFileHeadBytes = 104;
inline constexpr std::size_t kPipeHeadBytes = 16;

enum SampleBit : std::uint64_t {
  kIp = 1 << 0,
  kTid = 1 << 1,
  kTime = 1 << 2,
  kAddr = 1 << 3,
  kRead = 1 << 4,
  kCallchain = 1 << 5,
  kId = 1 << 6,
  kCpu = 1 << 7,
  kPeriod = 1 << 8,
  kStreamId = 1 << 9,
  kRaw = 1 << 10,
  kIdentifier = 1 << 16,
};

enum ReadBit : std::uint64_t {
  kReadEnabled = 1 << 0,
  kReadRunning = 1 << 1,
  kReadId = 1 << 2,
  kReadGroup = 1 << 3,
  kReadLost = 1 << 4,
};

enum AttrFlag : std::uint64_t { kSampleIdAll = 1 << 18, kUseClockId = 1 << 25 };

enum RecordType : std::uint32_t {
  kLost = 2,
  kComm = 3,
  kExit = 4,
  kFork = 7,
  kSample = 9,
  kLostSamples = 13,
  kHeaderAttr = 64,
  kTracingData = 66,
  kFinishedRound = 68,
  kAuxtrace = 71,
  kHeaderFeature = 80,
  kCompressed = 81,
  kCompressed2 = 83,
};

inline constexpr std::uint16_t kMiscLostByBpf = 1 << 15;  // of LOST_SAMPLES: filtered, not lost

enum Feature : unsigned {
  kFeatureTracingData = 1,
  kFeatureHostname = 3,
  kFeatureOsRelease = 4,
  kFeatureVersion = 5,
  kFeatureCommandLine = 11,
  kFeatureClockData = 29,
  kFeatures = 256,
};

inline constexpr std::uint32_t kTypeTracepoint = 2;

// Limits. A real file of the largest machines stays far below each.
inline constexpr std::uint64_t kMostAttrs = 65536;
inline constexpr std::uint64_t kMostIds = std::uint64_t{1} << 22;  // in all attributes together
inline constexpr std::uint64_t kMostTracingData = 256U << 20;
inline constexpr std::uint64_t kMostFeatureBytes = 1U << 20;  // of any other feature
inline constexpr std::size_t kMostThreads = std::size_t{1} << 20;

}  // namespace iovm::record::perf
