// SPDX-License-Identifier: Apache-2.0
#include "record/perf_data_records.h"

#include <algorithm>
#include <cstring>

#include "base/fd.h"
#include "base/format.h"
#include "record/perf_data_bytes.h"
#include "record/perf_data_format.h"

namespace iovm::record::perf {
namespace {

constexpr std::size_t kHeadBytes = 8;

struct Head {
  std::uint32_t type = 0;
  std::uint16_t misc = 0;
  std::uint16_t size = 0;
};

std::optional<Head> head_of(std::span<const std::byte> bytes) {
  Head head;
  if (bytes.size() < sizeof head) return std::nullopt;
  std::memcpy(&head, bytes.data(), sizeof head);
  return head;
}

}  // namespace

void RecordStream::Buffer::make_room() {
  if (begin > 0) std::memmove(bytes.data(), bytes.data() + begin, end - begin);
  end -= begin;
  begin = 0;
}

RecordStream::RecordStream(int fd, std::uint64_t limit, std::uint64_t offset)
    : fd_(fd), left_(limit), offset_(offset) {
  outer_.bytes.resize(kBufferBytes);
}

// A whole record from the buffer's front; nothing if it is not there yet, or if its length is
// wrong (then trouble_ is set).
std::optional<Record> RecordStream::take_record(Buffer& buffer) {
  auto head = head_of(buffer.rest());
  if (!head) return std::nullopt;
  if (head->size < kHeadBytes) {
    set_trouble(format("a record of {} bytes", head->size));
    return std::nullopt;
  }
  if (buffer.rest().size() < head->size) return std::nullopt;
  Record record{head->type, head->misc, buffer.rest().subspan(kHeadBytes, head->size - kHeadBytes)};
  buffer.begin += head->size;
  return record;
}

Result<bool> RecordStream::refill() {
  outer_.make_room();
  std::size_t room = outer_.bytes.size() - outer_.end;
  std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(room, left_));
  auto got = read_full(fd_, std::span(outer_.bytes).subspan(outer_.end, wanted));
  if (!got) return std::move(got).error();
  outer_.end += *got;
  left_ = *got < wanted ? 0 : left_ - *got;
  offset_ += *got;
  return *got > 0;
}

Result<std::optional<Record>> RecordStream::next() {
  while (!trouble_) {
    if (auto record = take_record(inner_)) return record;
    if (trouble_) break;
    if (!packed_.empty()) {
      unpack_more();
      continue;
    }
    auto record = take_record(outer_);
    if (record && (record->type == kCompressed || record->type == kCompressed2)) {
      begin_compressed(*record);
    } else if (record) {
      return record;
    } else if (!trouble_) {
      auto more = refill();
      if (!more) return std::move(more).error();
      if (!*more) {
        cut_short_ = !outer_.rest().empty() || !inner_.rest().empty();
        return std::optional<Record>();
      }
    }
  }
  return std::optional<Record>();
}

void RecordStream::begin_compressed(const Record& record) {
  packed_ = record.body;
  if (record.type == kCompressed2) {
    ByteWalk walk(record.body);
    packed_ = walk.take_bytes(walk.take<std::uint64_t>());
    if (walk.failed()) set_trouble("a compressed record is shorter than it says");
  }
  if (!zstd_) {
    zstd_.emplace();
    inner_.bytes.resize(kBufferBytes);
  }
}

void RecordStream::unpack_more() {
  inner_.make_room();
  std::size_t before = packed_.size();
  auto got = zstd_->unpack(packed_, std::span(inner_.bytes).subspan(inner_.end));
  if (!got) return set_trouble(got.error().message());
  inner_.end += *got;
  // A stream that takes nothing and gives nothing would go on for ever.
  if (*got == 0 && packed_.size() == before) set_trouble("a compressed record does not unpack");
}

void RecordStream::set_trouble(std::string_view what) {
  trouble_ = format("{} before offset {}; what follows it is not readable", what, offset_);
}

Result<std::vector<std::byte>> RecordStream::read_behind(std::uint64_t bytes) {
  std::vector<std::byte> data;
  while (data.size() < bytes) {
    std::span<const std::byte> rest = outer_.rest();
    if (rest.empty()) {
      auto more = refill();
      if (!more) return std::move(more).error();
      if (!*more) return input_error("it ends inside a record");
      continue;
    }
    std::size_t part =
        static_cast<std::size_t>(std::min<std::uint64_t>(rest.size(), bytes - data.size()));
    data.insert(data.end(), rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(part));
    outer_.begin += part;
  }
  return data;
}

Status RecordStream::skip_behind(std::uint64_t bytes) {
  while (bytes > 0) {
    std::size_t part =
        static_cast<std::size_t>(std::min<std::uint64_t>(outer_.rest().size(), bytes));
    outer_.begin += part;
    bytes -= part;
    if (bytes == 0) break;
    auto more = refill();
    if (!more) return std::move(more).error();
    if (!*more) break;  // the end; next() finds it too
  }
  return {};
}

}  // namespace iovm::record::perf
