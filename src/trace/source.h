// SPDX-License-Identifier: Apache-2.0
//
// One interface for live rings, files, imports and test vectors, so that `detect --live` and
// `detect trace.iovm` differ in one line. A source owns its Context; it may grow with every next(),
// and every index in a batch is valid in it by the time the batch is handed out.
#pragma once

#include <span>
#include <vector>

#include "base/result.h"
#include "trace/context.h"
#include "trace/event.h"

namespace iovm::trace {

class EventSource {
 public:
  virtual ~EventSource() = default;

  // The next events in stream order; valid until the following call. Empty means the end. A live
  // source blocks until it has some, or until it is told to stop.
  virtual Result<std::span<const Event>> next() = 0;

  virtual const Context& context() const = 0;
};

class EventSink {
 public:
  virtual ~EventSink() = default;

  // Takes events whose indices are valid in the context given; the sink sees by itself what is new
  // in it.
  virtual Status write(const Context& context, std::span<const Event> events) = 0;
  // Makes everything durable; nothing may be written after it.
  virtual Status finish() = 0;
};

// Events from memory, in batches of `batch`: for tests and small conversions.
class VectorSource : public EventSource {
 public:
  VectorSource(Context context, std::vector<Event> events, std::size_t batch = 1024)
      : context_(std::move(context)), events_(std::move(events)), batch_(batch) {}

  Result<std::span<const Event>> next() override {
    std::span<const Event> rest = std::span<const Event>(events_).subspan(position_);
    std::span<const Event> out = rest.first(rest.size() < batch_ ? rest.size() : batch_);
    position_ += out.size();
    return out;
  }
  const Context& context() const override { return context_; }

 private:
  Context context_;
  std::vector<Event> events_;
  std::size_t batch_;
  std::size_t position_ = 0;
};

}  // namespace iovm::trace
