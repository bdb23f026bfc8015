// SPDX-License-Identifier: Apache-2.0
//
// Streams: which events follow one another in the model's eyes. Interrupts interleave devices, so
// one sequence per device is the default (measured: it halves the normal mismatches of one per
// vCPU); the others answer other questions ("what did this process do"). One per device and process
// keeps the work of several processes on a device apart, should a driver let them interleave; what
// the guest's kernel does there by itself is one sequence more.
//
// StreamMap numbers the streams of one recording, in the order of sight, and says which of them a
// loss touched. Bounded: beyond kMaxStreams all further ones share the last number.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/actor.h"
#include "model/tokenizer.h"
#include "trace/event.h"

namespace iovm::model {

// The numbers are in model files.
enum class StreamKind : std::uint8_t {
  device = 0,
  process = 1,
  vcpu = 2,
  vm = 3,
  device_process = 4,
};
inline constexpr int kStreamKinds = 5;

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
    Actor actor = kNobody;   // of device_process, beside the DeviceIndex
  };

  explicit StreamMap(StreamKind kind) : kind_(kind) {}

  // `context`: of the recording, as far as it was read.
  StreamIndex operator()(const trace::Event& event, DeviceIndex device,
                         const trace::Context& context) {
    Key key{static_cast<std::uint64_t>(event.vm) << 32 | part_of(event, device)};
    if (kind_ == StreamKind::device_process) key.actor = kernel_or_process_of(event, context);
    if (key == last_key_) return last_;
    return look_up(key);
  }

  const std::vector<Stream>& streams() const { return streams_; }
  // True if sequences of the stream must not be joined across the loss.
  bool touches(const trace::Event& loss, StreamIndex stream) const;

 private:
  struct Key {
    std::uint64_t place = 0;  // VM and part
    Actor actor = kNobody;

    friend bool operator==(const Key&, const Key&) = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const {
      std::uint64_t h = (key.place ^ std::rotl(key.actor, 29)) * 0x9e3779b97f4a7c15;
      return static_cast<std::size_t>(h ^ h >> 32);
    }
  };

  std::uint32_t part_of(const trace::Event& event, DeviceIndex device) const {
    if (kind_ == StreamKind::device) return device;
    switch (kind_) {
      case StreamKind::process:
        return event.process;
      case StreamKind::vcpu:
        return event.vcpu;
      case StreamKind::device:
      case StreamKind::device_process:
        return device;
      case StreamKind::vm:
        break;
    }
    return 0;
  }
  StreamIndex look_up(const Key& key);

  StreamKind kind_;
  Key last_key_{~std::uint64_t{0}};  // that of no stream
  StreamIndex last_ = 0;
  std::unordered_map<Key, StreamIndex, KeyHash> index_;
  std::vector<Stream> streams_;
};

}  // namespace iovm::model
