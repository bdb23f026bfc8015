// SPDX-License-Identifier: Apache-2.0
//
// Streams: which events follow one another in the model's eyes. Interrupts interleave devices, so
// one sequence per device is the default (measured: it halves the normal mismatches of one per
// vCPU); the others answer other questions ("what did this process do").
//
// StreamMap numbers the streams of one recording, in the order of sight, and says which of them a
// loss touched. Bounded: beyond kMaxStreams all further ones share the last number.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/tokenizer.h"
#include "trace/event.h"

namespace iovm::model {

// The numbers are in model files.
enum class StreamKind : std::uint8_t { device = 0, process = 1, vcpu = 2, vm = 3 };
inline constexpr int kStreamKinds = 4;

std::string_view name_of(StreamKind kind);
std::optional<StreamKind> stream_kind(std::string_view name);

using StreamIndex = std::uint32_t;
inline constexpr std::size_t kMaxStreams = std::size_t{1} << 17;

class StreamMap {
 public:
  // What a stream is divided by, next to the VM.
  struct Stream {
    std::uint16_t vm = 0;
    std::uint32_t part = 0;  // DeviceIndex, process (index or trace::Unknown), vCPU; vm: 0
  };

  explicit StreamMap(StreamKind kind) : kind_(kind) {}

  StreamIndex operator()(const trace::Event& event, DeviceIndex device) {
    std::uint64_t key = static_cast<std::uint64_t>(event.vm) << 32 | part_of(event, device);
    if (key == last_key_) return last_;
    return look_up(key);
  }

  const std::vector<Stream>& streams() const { return streams_; }
  // True if sequences of the stream must not be joined across the loss.
  bool touches(const trace::Event& loss, StreamIndex stream) const;

 private:
  std::uint32_t part_of(const trace::Event& event, DeviceIndex device) const {
    if (kind_ == StreamKind::device) return device;
    switch (kind_) {
      case StreamKind::process:
        return event.process;
      case StreamKind::vcpu:
        return event.vcpu;
      case StreamKind::device:
      case StreamKind::vm:
        break;
    }
    return 0;
  }
  StreamIndex look_up(std::uint64_t key);

  StreamKind kind_;
  std::uint64_t last_key_ = ~std::uint64_t{0};  // that of no stream
  StreamIndex last_ = 0;
  std::unordered_map<std::uint64_t, StreamIndex> index_;
  std::vector<Stream> streams_;
};

}  // namespace iovm::model
