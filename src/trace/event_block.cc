// SPDX-License-Identifier: Apache-2.0
#include "trace/event_block.h"

#include <algorithm>
#include <cstring>

#include "trace/compress.h"
#include "trace/format.h"

namespace iovm::trace {

struct EventEncoder::State {
  explicit State(int level) : compressor(level) {}
  Compressor compressor;
  std::uint64_t resolution = 1;
  std::vector<Event> events;
};

EventEncoder::EventEncoder(int compression_level, std::uint64_t time_resolution_ns)
    : state_(std::make_unique<State>(compression_level)) {
  state_->resolution = std::max<std::uint64_t>(time_resolution_ns, 1);
}
EventEncoder::~EventEncoder() = default;

std::size_t EventEncoder::add(std::span<const Event> events) {
  std::size_t room = kMostEntries - state_->events.size();
  std::span<const Event> taken = events.first(std::min(room, events.size()));
  for (Event event : taken) {
    event.time -= event.time % state_->resolution;
    state_->events.push_back(event);
  }
  return taken.size();
}

std::size_t EventEncoder::entries() const {
  return state_->events.size();
}

std::vector<std::byte> EventEncoder::finish() {
  std::vector<std::byte> out;
  state_->compressor.append(std::as_bytes(std::span(state_->events)), out);
  state_->events.clear();
  return out;
}

struct EventDecoder::State {
  Decompressor decompressor;
  std::vector<Event> events;
  std::size_t position = 0;
};

EventDecoder::EventDecoder() : state_(std::make_unique<State>()) {}
EventDecoder::~EventDecoder() = default;

Status EventDecoder::open(std::span<const std::byte> payload, std::size_t entries) {
  state_->events.resize(entries);
  state_->position = 0;
  if (!state_->decompressor.decompress(payload, std::as_writable_bytes(std::span(state_->events))))
    return input_error("an event block does not decompress");
  return {};
}

IndexUse EventDecoder::uses() const {
  IndexUse use;
  for (const Event& event : state_->events) {
    if (event.knows_process())
      use.processes = std::max(use.processes, std::uint64_t{event.process} + 1);
    if (event.vm != kAllVms) use.vms = std::max(use.vms, std::uint32_t{event.vm} + 1);
  }
  return use;
}

void EventDecoder::forget_processes(std::uint32_t known) {
  for (Event& event : state_->events)
    if (event.knows_process() && event.process >= known)
      event.process = static_cast<std::uint32_t>(Unknown::not_resolved);
}

std::size_t EventDecoder::decode(std::span<Event> out) {
  std::size_t count = std::min(out.size(), state_->events.size() - state_->position);
  std::copy_n(state_->events.begin() + static_cast<std::ptrdiff_t>(state_->position), count,
              out.begin());
  state_->position += count;
  return count;
}

}  // namespace iovm::trace
