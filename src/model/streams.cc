// SPDX-License-Identifier: Apache-2.0
#include "model/streams.h"

#include <array>

namespace iovm::model {
namespace {

constexpr std::array<std::string_view, kStreamKinds> kNames = {"device", "process", "vcpu", "vm",
                                                               "device-process"};

}  // namespace

std::string_view name_of(StreamKind kind) {
  return kNames[static_cast<std::size_t>(kind)];
}

std::optional<StreamKind> stream_kind(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<StreamKind>(i);
  }
  return std::nullopt;
}

StreamIndex StreamMap::look_up(const Key& key) {
  auto it = index_.find(key);
  if (it == index_.end()) {
    auto fresh = static_cast<StreamIndex>(streams_.size());
    if (fresh >= kMaxStreams) return static_cast<StreamIndex>(kMaxStreams - 1);
    streams_.push_back({static_cast<std::uint16_t>(key.place >> 32),
                        static_cast<std::uint32_t>(key.place), key.actor});
    it = index_.emplace(key, fresh).first;
  }
  last_key_ = key;
  last_ = it->second;
  return last_;
}

bool StreamMap::touches(const trace::Event& loss, StreamIndex stream) const {
  const Stream& s = streams_[stream];
  if (loss.vm != trace::kAllVms && loss.vm != s.vm) return false;
  if (kind_ != StreamKind::vcpu || !loss.has(trace::Field::vcpu)) return true;
  return loss.vcpu == s.part;
}

}  // namespace iovm::model
