// SPDX-License-Identifier: Apache-2.0
//
// Reads a trace file or pipe as an EventSource. A torn tail (the writer was killed, the file was
// cut) is normal: the events of every whole block come out, then the end, and ended_early() says
// so. A bad block in the middle is news: a loss event (cause damaged) stands in its place, damage()
// tells where and why, and reading goes on at the next good block.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "trace/source.h"

namespace iovm::trace {

struct Damage {
  std::uint64_t offset = 0;  // in the file
  std::uint64_t bytes = 0;   // skipped
  std::string why;
};

struct ReadOptions {
  // Events with from <= time < to; a seekable file with an index starts at the right block.
  std::uint64_t from = 0;
  std::uint64_t to = ~std::uint64_t{0};
};

// What the file says about itself without its events being decoded.
struct TraceSummary {
  std::uint64_t events = 0;
  LossTotals lost;
  std::uint64_t first_time = 0;
  std::uint64_t last_time = 0;
  std::uint64_t bytes = 0;  // of the file
  std::uint64_t blocks = 0;
  bool indexed = false;  // closed in order, with an index
  std::vector<Damage> damage;
};

class TraceReader : public EventSource {
 public:
  // `path` may be "-". A file that is no trace gets an error that says what it is (empty, text, a
  // model, ...).
  static Result<std::unique_ptr<TraceReader>> open(const std::string& path,
                                                   ReadOptions options = {});
  ~TraceReader() override;

  Result<std::span<const Event>> next() override;
  const Context& context() const override;

  // Where the block of the last events begins in the file.
  std::uint64_t offset() const;
  // After the end: what was wrong on the way; empty for a good file.
  const std::vector<Damage>& damage() const;
  // After the end: no index and a torn last block, or none at all: the recording was cut short.
  bool ended_early() const;

 private:
  class Impl;
  explicit TraceReader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// From the block heads alone (every block is checked against its checksum if `verify`).
Result<TraceSummary> summarize(const std::string& path, bool verify);

}  // namespace iovm::trace
