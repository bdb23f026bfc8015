// SPDX-License-Identifier: Apache-2.0
//
// Passes events on, and remembers the times between which they came.
#pragma once

#include <algorithm>
#include <optional>

#include "trace/source.h"

namespace iovm::cli {

class Timed : public trace::EventSource {
 public:
  explicit Timed(trace::EventSource& source) : source_(source) {}

  Result<std::span<const trace::Event>> next() override {
    auto batch = source_.next();
    if (!batch || batch->empty()) return batch;
    if (!first_) first_ = batch->front().time;
    last_ = std::max(last_, batch->back().time);
    return batch;
  }
  const trace::Context& context() const override { return source_.context(); }

  // Of the first event; 0 before it.
  std::uint64_t first() const { return first_.value_or(0); }
  std::uint64_t duration_ns() const { return last_ - std::min(first(), last_); }

 private:
  trace::EventSource& source_;
  std::optional<std::uint64_t> first_;
  std::uint64_t last_ = 0;
};

}  // namespace iovm::cli
