// SPDX-License-Identifier: Apache-2.0
//
// The head of a perf.data file: fixed part, attribute table, feature sections.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/format.h"
#include "record/perf_data_bytes.h"
#include "record/perf_data_format.h"
#include "record/perf_data_head.h"

namespace iovm::record::perf {
namespace {

// Exactly that part of the file. Sections are checked against its length before memory is taken.
class FilePart {
 public:
  static Result<FilePart> open(int fd) {
    struct stat about {};
    if (::fstat(fd, &about) != 0) return errno_error("reading its size");
    return FilePart(fd, static_cast<std::uint64_t>(about.st_size));
  }
  std::uint64_t size() const { return size_; }

  Result<std::vector<std::byte>> read(Section section, std::string_view what,
                                      std::uint64_t limit) const {
    if (section.offset > size_ || section.size > size_ - section.offset)
      return input_error(format("its {} would lie behind the file's end: it was cut", what));
    if (section.size > limit)
      return input_error(format("its {} is larger than any real one", what));
    std::vector<std::byte> bytes(static_cast<std::size_t>(section.size));
    std::size_t done = 0;
    while (done < bytes.size()) {
      ssize_t got = ::pread(fd_, bytes.data() + done, bytes.size() - done,
                            static_cast<off_t>(section.offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return errno_error(format("reading its {}", what));
      if (got == 0) return input_error(format("its {} is cut off", what));
      done += static_cast<std::size_t>(got);
    }
    return bytes;
  }

 private:
  FilePart(int fd, std::uint64_t size) : fd_(fd), size_(size) {}
  int fd_;
  std::uint64_t size_;
};

struct FixedHead {
  std::uint64_t attr_size = 0;
  Section attrs;
  Section data;
  std::array<std::uint64_t, kFeatures / 64> features{};

  bool has(unsigned feature) const { return (features[feature / 64] >> (feature % 64) & 1) != 0; }
};

Section take_section(ByteWalk& walk) {
  Section section;
  section.offset = walk.take<std::uint64_t>();
  section.size = walk.take<std::uint64_t>();
  return section;
}

FixedHead parse_fixed(std::span<const std::byte> bytes) {
  ByteWalk walk(bytes);
  FixedHead head;
  walk.skip(8 + 8);  // magic, size
  head.attr_size = walk.take<std::uint64_t>();
  head.attrs = take_section(walk);
  head.data = take_section(walk);
  take_section(walk);  // event types: before 2.6.36
  for (std::uint64_t& word : head.features) word = walk.take<std::uint64_t>();
  return head;
}

// The table: per event its perf_event_attr and where its ids are.
Status read_attrs(const FilePart& file, const FixedHead& fixed, Head& head) {
  constexpr std::uint64_t kSection = 16;
  constexpr std::uint64_t kSmallestAttr = 64;
  if (fixed.attr_size < kSmallestAttr + kSection || fixed.attr_size > 65536)
    return input_error(
        format("its event attributes have {} bytes each, which no perf writes", fixed.attr_size));
  auto table = file.read(fixed.attrs, "table of events", kMostAttrs * fixed.attr_size);
  if (!table) return std::move(table).error();
  std::span<const std::byte> rest(*table);
  while (rest.size() >= fixed.attr_size) {
    std::span<const std::byte> entry = rest.first(static_cast<std::size_t>(fixed.attr_size));
    rest = rest.subspan(entry.size());
    ByteWalk walk(entry.last(kSection));
    auto ids = file.read(take_section(walk), "table of event ids", kMostIds * 8);
    if (!ids) return std::move(ids).error();
    auto added = head.add_attr(entry.first(entry.size() - kSection), *ids);
    if (!added) return added;
  }
  return {};
}

// One section for each set bit, in the order of the bits; their table follows the data.
Status read_features(const FilePart& file, const FixedHead& fixed, Head& head) {
  std::vector<unsigned> present;
  for (unsigned feature = 0; feature < kFeatures; ++feature) {
    if (fixed.has(feature)) present.push_back(feature);
  }
  Section table{fixed.data.offset + fixed.data.size, present.size() * 16};
  auto bytes = file.read(table, "table of features", table.size);
  if (!bytes) return std::move(bytes).error();
  ByteWalk walk(*bytes);
  for (unsigned feature : present) {
    Section section = take_section(walk);
    bool formats = feature == kFeatureTracingData;
    auto content = file.read(section, formats ? "tracing data" : "features",
                             formats ? kMostTracingData : kMostFeatureBytes);
    if (!content && formats) return std::move(content).error();
    if (!content) continue;
    if (!formats) {
      head.add_feature(feature, *content);
    } else if (auto added = head.add_tracing_data(*content); !added) {
      return added;
    }
  }
  return {};
}

}  // namespace

Result<FileLayout> read_file_head(int fd, Head& head) {
  auto file = FilePart::open(fd);
  if (!file) return std::move(file).error();
  auto bytes = file->read({0, kFileHeadBytes}, "head", kFileHeadBytes);
  if (!bytes) return std::move(bytes).error();
  FixedHead fixed = parse_fixed(*bytes);
  auto attrs = read_attrs(*file, fixed, head);
  if (!attrs) return std::move(attrs).error();
  if (fixed.data.offset > file->size()) return input_error("its records lie behind the file's end");
  if (fixed.data.size == 0 && fixed.data.offset < file->size()) {
    return FileLayout{{fixed.data.offset, file->size() - fixed.data.offset}, true};
  }
  if (fixed.data.size > file->size() - fixed.data.offset)
    return input_error(
        "it is shorter than its head says: it was cut, and with it the formats of its events");
  auto features = read_features(*file, fixed, head);
  if (!features) return std::move(features).error();
  return FileLayout{fixed.data, false};
}

}  // namespace iovm::record::perf
