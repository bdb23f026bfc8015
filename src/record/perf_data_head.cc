// SPDX-License-Identifier: Apache-2.0
#include "record/perf_data_head.h"

#include <algorithm>

#include "base/format.h"
#include "record/perf_data_bytes.h"
#include "record/perf_data_format.h"
#include "record/perf_data_formats.h"

namespace iovm::record::perf {
namespace {

// "length, text, padding", as perf's do_write_string.
std::string take_string(ByteWalk& walk) {
  std::string_view text = as_text(walk.take_bytes(walk.take<std::uint32_t>()));
  return std::string(text.substr(0, text.find('\0')));
}

std::string take_words(ByteWalk& walk) {
  auto count = walk.take<std::uint32_t>();
  std::string line;
  for (std::uint32_t i = 0; i < count && !walk.failed(); ++i) {
    line += (i == 0 ? "" : " ") + take_string(walk);
  }
  return line;
}

std::optional<ClockPair> take_clock(ByteWalk& walk) {
  ClockPair pair;
  auto version = walk.take<std::uint32_t>();
  pair.clock = walk.take<std::uint32_t>();
  pair.wall_ns = walk.take<std::uint64_t>();
  pair.clock_ns = walk.take<std::uint64_t>();
  if (walk.failed() || version != 1) return std::nullopt;
  return pair;
}

}  // namespace

Status Head::add_attr(std::span<const std::byte> attr, std::span<const std::byte> ids) {
  ByteWalk walk(attr);
  Attr made;
  made.type = walk.take<std::uint32_t>();
  walk.skip(4);  // its size, which the caller has gone by
  made.config = walk.take<std::uint64_t>();
  walk.skip(8);  // period
  made.layout.sample_type = walk.take<std::uint64_t>();
  made.layout.read_format = walk.take<std::uint64_t>();
  auto flags = walk.take<std::uint64_t>();
  if (walk.failed()) return input_error("an event attribute is too short");
  made.layout.id_all = (flags & kSampleIdAll) != 0;
  walk.skip(92 - 48);
  auto clock_id = walk.take<std::int32_t>();
  if (!walk.failed() && (flags & kUseClockId) != 0) made.clock = clock_id;
  if (attrs_.size() == kMostAttrs) return input_error("more event attributes than any recording");
  if (attr_of_id_.size() + ids.size() / 8 > kMostIds)
    return input_error("more event ids than any recording");
  ByteWalk id_walk(ids);
  while (id_walk.left() >= 8) attr_of_id_.emplace(id_walk.take<std::uint64_t>(), attrs_.size());
  attrs_.push_back(made);
  return {};
}

Status Head::add_tracing_data(std::span<const std::byte> data) {
  auto texts = parse_tracing_data(data, "kvm");
  if (!texts) return std::move(texts).error();
  formats.insert(formats.end(), texts->begin(), texts->end());
  return {};
}

void Head::add_feature(unsigned feature, std::span<const std::byte> data) {
  ByteWalk walk(data);
  if (feature == kFeatureHostname) host = take_string(walk);
  if (feature == kFeatureOsRelease) kernel = take_string(walk);
  if (feature == kFeatureVersion) version = take_string(walk);
  if (feature == kFeatureCommandLine) command_line = take_words(walk);
  if (feature == kFeatureClockData) clock = take_clock(walk);
}

const Attr* Head::by_id(std::optional<std::uint64_t> id) const {
  if (!id) return attrs_.size() == 1 ? &attrs_.front() : nullptr;
  auto found = attr_of_id_.find(*id);
  // perf writes id 0 into the records that it makes up itself; any event's layout fits them.
  if (found == attr_of_id_.end()) return *id == 0 && !attrs_.empty() ? &attrs_.front() : nullptr;
  return &attrs_[found->second];
}

const Attr* Head::attr_of_sample(std::span<const std::byte> body) const {
  if (attrs_.empty()) return nullptr;
  return by_id(sample_id(attrs_.front().layout, body));
}

const Attr* Head::attr_of_trailer(std::span<const std::byte> body) const {
  if (attrs_.empty()) return nullptr;
  const Attr* attr = by_id(trailer_id(attrs_.front().layout, body));
  return attr != nullptr ? attr : &attrs_.front();
}

}  // namespace iovm::record::perf
