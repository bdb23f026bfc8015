// SPDX-License-Identifier: Apache-2.0
//
// Writes a trace file (docs/trace-format.md) to a file or a pipe, block by block. What is on disk
// while it runs: the head and whole blocks, without an index; after finish(): the index too. A
// process that is killed, or a disk that fills up, leaves a file that is valid to its last whole
// block.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "base/sha256.h"
#include "trace/source.h"

namespace iovm::trace {

struct WriterOptions {
  std::uint64_t time_resolution_ns = 1;  // 1000: times are kept in us
  int compression_level = 3;             // zstd's
  // A block that holds events this old is written out, full or not, at the next write() or tick().
  std::chrono::nanoseconds flush_after = std::chrono::milliseconds(500);
  bool chain = true;  // chain blocks: SHA-256 of what is written (trace/chain.h)
};

struct WriterStats {
  std::uint64_t events = 0;  // without losses
  LossTotals lost;
  std::uint64_t bytes = 0;
  std::uint64_t first_time = 0;
  std::uint64_t last_time = 0;
  std::optional<Sha256> chain_end;  // after finish(), with a chain: its last link
};

class TraceWriter : public EventSink {
 public:
  // `path` may be "-". Writes the head at once, so that a right or a disk that is missing shows
  // early.
  static Result<std::unique_ptr<TraceWriter>> create(const std::string& path, const TraceInfo& info,
                                                     WriterOptions options = {});
  ~TraceWriter() override;

  Status write(const Context& context, std::span<const Event> events) override;
  // Gives a half-full block that is old enough to the file; for live recordings that have gone
  // quiet.
  Status tick();
  Status finish() override;

  const WriterStats& stats() const;

 private:
  class Impl;
  explicit TraceWriter(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace iovm::trace
