// SPDX-License-Identifier: Apache-2.0
//
// A recording of `perf record -e kvm:kvm_pio,kvm:kvm_mmio,...` as an EventSource: what perf wrote
// on one machine is read on another, by the formats that the file carries. The reader is iovm's
// own, in pieces: perf_data_records (the stream), perf_data_head (what the file says of itself),
// perf_data_sample (fields of a record), machine_threads (which VM and vCPU), machine_order (time).
//
// A file is passed over twice, first for which threads did I/O (machine_threads.h); a pipe (`perf
// record -o - | iovm import -`) once. Times are perf's: by default its own clock, which is neither
// CLOCK_MONOTONIC nor in a known relation to UTC; the trace's note "clock" says which it was.
#pragma once

#include <memory>
#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "trace/source.h"

namespace iovm::record {

class PerfDataSource : public trace::EventSource {
 public:
  // `path` may be "-".
  static Result<std::unique_ptr<PerfDataSource>> open(const std::string& path);
  // From an open file or pipe, at its start.
  static Result<std::unique_ptr<PerfDataSource>> open(UniqueFd fd);
  ~PerfDataSource() override;

  Result<std::span<const trace::Event>> next() override;
  const trace::Context& context() const override;

 private:
  class Impl;
  explicit PerfDataSource(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace iovm::record
