// SPDX-License-Identifier: Apache-2.0
//
// The last seconds of a live run, in bounded memory; at an alert they become a trace, and so does
// what follows for as long again. Events are kept before anybody decides about them, so the trace
// has the alarm in it, and what was still going on. More alerts in that time make it longer; they
// do not make another one.
//
// A trace of its own, with a fresh id: its events are numbered from 0, and its notes say of which
// alert it is and which number its first event had in the run. What cannot be written is told, and
// detection goes on.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>

#include "detect/response.h"
#include "trace/source.h"
#include "trace/writer.h"

namespace iovm::detect {

class FlightRecorder : public Response {
 public:
  static constexpr std::size_t kMostEvents = std::size_t{1} << 20;  // 64 MiB

  FlightRecorder(std::string folder, std::chrono::nanoseconds window, Say say);
  ~FlightRecorder() override;

  // Events as they come, all of them.
  void keep(const trace::Context& context, std::span<const trace::Event> events);
  Stop alarm(const Alert& alert) override;
  // Now and then, also when no events come: what is written is on the disk soon.
  void tick();
  // The trace that is being written is complete.
  void finish();

 private:
  void begin(const Alert& alert);
  void write(std::span<const trace::Event> events);
  void give_up(const Error& error);

  std::string folder_;
  std::uint64_t window_;
  Say say_;
  const trace::Context* context_ = nullptr;
  std::deque<trace::Event> held_;
  std::uint64_t next_ = 0;  // number of the next event
  std::unique_ptr<trace::TraceWriter> writer_;
  std::string path_;
  std::uint64_t until_ = 0;  // time from which on nothing more is written
};

}  // namespace iovm::detect
