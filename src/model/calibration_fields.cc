// SPDX-License-Identifier: Apache-2.0
//
// What the calibration found, and the threshold that was chosen by it.
#include <algorithm>
#include <cmath>
#include <functional>

#include "model/model_fields.h"

namespace iovm::model {

using trace::ArchiveReader;
using trace::ArchiveWriter;

namespace {

Status get_session_sample(ArchiveReader& in, Calibration& c) {
  SessionScale& scale = c.scale;
  scale.bits_mean = in.f64();
  scale.bits_sd = in.f64();
  scale.set_mean = in.f64();
  scale.set_sd = in.f64();
  bool good = std::isfinite(scale.bits_mean) && std::isfinite(scale.set_mean) &&
              std::isfinite(scale.bits_sd) && std::isfinite(scale.set_sd) && scale.bits_sd > 0 &&
              scale.set_sd > 0;
  std::uint32_t sample = in.count(8);
  if (!good || sample > kMaxSessionSample) return input_error("a wrong sample of sessions");
  c.scores.resize(sample);
  for (double& score : c.scores) score = in.f64();
  good = std::ranges::all_of(c.scores, [](double s) { return std::isfinite(s); }) &&
         std::ranges::is_sorted(c.scores, std::greater<>());
  if (!good) return input_error("a sample of sessions out of order");
  return {};
}

}  // namespace

void put_calibration(ArchiveWriter& out, const Calibration& c) {
  out.u64(c.events).u64(c.duration_ns).u64(c.sessions).u64(c.blocks);
  for (std::uint64_t blocks : c.unseen) out.u64(blocks);
  for (std::uint64_t blocks : c.strange) out.u64(blocks);
  out.u32(static_cast<std::uint32_t>(c.largest.size()));
  for (Bits bits : c.largest) out.u32(bits);
  out.f64(c.scale.bits_mean).f64(c.scale.bits_sd).f64(c.scale.set_mean).f64(c.scale.set_sd);
  out.u32(static_cast<std::uint32_t>(c.scores.size()));
  for (double score : c.scores) out.f64(score);
}

Status get_calibration(ArchiveReader& in, Calibration& c) {
  c.events = in.u64();
  c.duration_ns = in.u64();
  c.sessions = in.u64();
  c.blocks = in.u64();
  for (UnseenCounts* counts : {&c.unseen, &c.strange}) {
    std::uint64_t left = c.blocks;
    for (std::uint64_t& blocks : *counts) {
      blocks = in.u64();
      if (blocks > left) return input_error("a wrong count of unseen accesses");
      left -= blocks;
    }
  }
  std::uint32_t sample = in.count(4);
  if (sample > kMaxSample || sample > c.blocks) return input_error("a wrong calibration sample");
  c.largest.resize(sample);
  for (Bits& bits : c.largest) bits = in.u32();
  if (!std::ranges::is_sorted(c.largest, std::greater<>())) {
    return input_error("a calibration sample out of order");
  }
  return get_session_sample(in, c);
}

void put_threshold(ArchiveWriter& out, const Threshold& t) {
  out.u32(t.value).u8(t.supported ? 1 : 0).f64(t.promise.alarms).u64(t.promise.per);
  out.u8(static_cast<std::uint8_t>(t.promise.unit)).f64(t.expected).f64(t.session).u32(t.unseen);
  out.u32(t.strange);
}

Status get_threshold(ArchiveReader& in, Threshold& t) {
  t.value = in.u32();
  t.supported = in.u8() != 0;
  t.promise.alarms = in.f64();
  t.promise.per = in.u64();
  std::uint8_t unit = in.u8();
  t.promise.unit = static_cast<Promise::Unit>(unit);
  t.expected = in.f64();
  t.session = in.f64();
  t.unseen = in.u32();
  t.strange = in.u32();
  bool good = unit <= 2 && !std::isnan(t.session) && t.unseen > 0 && t.strange > 0 &&
              std::isfinite(t.promise.alarms) && t.promise.alarms > 0 && t.promise.per > 0 &&
              std::isfinite(t.expected) && t.expected >= 0;
  if (!good) return input_error("a wrong threshold");
  return {};
}

}  // namespace iovm::model
