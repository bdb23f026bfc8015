// SPDX-License-Identifier: Apache-2.0
//
// What a perf.data says about itself: its events (attributes with their ids), the tracepoints'
// formats, and a few features. It is collected from the head and the feature sections of a file, or
// piece by piece from the records of a pipe; both fill the same Head.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "record/perf_data_sample.h"

namespace iovm::record::perf {

struct Attr {
  std::uint32_t type = 0;
  std::uint64_t config = 0;  // of a tracepoint: its id
  SampleLayout layout;
  std::optional<std::int32_t> clock;  // CLOCK_*; nothing: perf's own
};

// Of the feature CLOCK_DATA: one moment on two clocks.
struct ClockPair {
  std::uint32_t clock = 0;
  std::uint64_t wall_ns = 0;
  std::uint64_t clock_ns = 0;
};

class Head {
 public:
  // A perf_event_attr of a file's attribute table or a HEADER_ATTR record, and its ids.
  Status add_attr(std::span<const std::byte> attr, std::span<const std::byte> ids);
  Status add_tracing_data(std::span<const std::byte> data);
  // A feature that is not understood or is damaged is left out: none of them is needed.
  void add_feature(unsigned feature, std::span<const std::byte> data);

  const std::vector<Attr>& attrs() const { return attrs_; }
  // The event that a sample or another record belongs to; nullptr where that cannot be told.
  const Attr* attr_of_sample(std::span<const std::byte> body) const;
  const Attr* attr_of_trailer(std::span<const std::byte> body) const;

  std::vector<std::string> formats;  // of kvm's tracepoints
  std::string host;
  std::string kernel;
  std::string version;
  std::string command_line;
  std::optional<ClockPair> clock;

 private:
  const Attr* by_id(std::optional<std::uint64_t> id) const;

  std::vector<Attr> attrs_;
  std::unordered_map<std::uint64_t, std::size_t> attr_of_id_;
};

// The head of a file, in front of its records.
struct Section {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};
struct FileLayout {
  Section data;
  bool unfinished = false;  // perf was killed: the data run to the file's end, nothing follows them
};

// Reads head, attributes and features by pread. The descriptor must be seekable.
Result<FileLayout> read_file_head(int fd, Head& head);

}  // namespace iovm::record::perf
