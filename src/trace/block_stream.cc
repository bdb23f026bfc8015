// SPDX-License-Identifier: Apache-2.0
#include "trace/block_stream.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/assert.h"
#include "base/format.h"
#include "base/text.h"
#include "trace/bytes.h"
#include "trace/compress.h"
#include "trace/file_head.h"

namespace iovm::trace {
namespace {

constexpr std::size_t kScanStep = 64U << 10;
// After a bad payload the search for the next block goes on right behind its head, so that bytes
// cut out of it cost no second block; what that may read twice over a whole file is limited.
constexpr std::uint64_t kMostRescan = 256U << 20;

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Whether `rest`, all that is left of a file, is what a write that never completed leaves: the
// first bytes of a block or an index, or zeros (a power cut: the length grew, the data did not
// come).
bool looks_torn(std::string_view rest) {
  if (rest.size() < 8) {
    std::string index_start(4, '\0');
    store_le(reinterpret_cast<std::byte*>(index_start.data()), kSkippableMagic);
    std::string_view both[] = {kSync, index_start};
    return std::any_of(std::begin(both), std::end(both), [&](std::string_view start) {
      std::size_t common = std::min(rest.size(), start.size());
      return rest.substr(0, common) == start.substr(0, common);
    });
  }
  if (std::all_of(rest.begin(), rest.end(), [](char c) { return c == 0; })) return true;
  if (rest.starts_with(kSync)) return rest[7] == kBlockMark && rest.size() < kBlockHeadBytes;
  return rest.size() < kIndexHeadBytes &&
         load_le<std::uint32_t>(reinterpret_cast<const std::byte*>(rest.data())) == kSkippableMagic;
}

}  // namespace

Result<BlockStream> BlockStream::open(const std::string& path) {
  auto fd = open_for_reading(path);
  if (!fd) return std::move(fd).error();
  return open(ByteInput(std::move(*fd)), path == "-" ? "standard input" : escape_terminal(path));
}

Result<BlockStream> BlockStream::open(ByteInput input, const std::string& place) {
  BlockStream stream(std::move(input));
  if (auto done = stream.read_file_head(place); !done) return std::move(done).error();
  return stream;
}

// A damaged file head is no reason to give up a recording if its first block still stands behind.
Status BlockStream::read_file_head(const std::string& place) {
  auto first = input_.peek(kFileHeadBytes + kBlockHeadBytes);
  if (!first) return std::move(first).error().in(place);
  auto head = parse_file_head(*first, FileType::trace, kTraceVersion);
  if (!head) {
    bool newer = head.error().message().find("newer iovm") != std::string::npos;
    bool block_behind = first->size() > kFileHeadBytes &&
                        parse_block_head(first->subspan(kFileHeadBytes)).has_value();
    if (newer || !block_behind) return std::move(head).error().in(place);
    begin_gap(0, "the head of the file is damaged");
  }
  auto skipped = input_.skip(kFileHeadBytes);
  if (!skipped) return std::move(skipped).error().in(place);
  return {};
}

Result<BlockStream::Step> BlockStream::next() {
  if (in_block_) {
    if (auto done = skip(); !done) return std::move(done).error();
  }
  for (;;) {
    auto bytes = input_.peek(kBlockHeadBytes);
    if (!bytes) return std::move(bytes).error();
    if (bytes->empty()) return at_end();
    if (auto head = parse_block_head(*bytes)) return at_block(*head);
    if (auto frame = index_frame_bytes(*bytes)) {
      auto passed = pass_index(*frame);
      if (!passed) return std::move(passed).error();
      if (*passed) continue;
    }
    auto torn = pass_torn_tail();
    if (!torn) return std::move(torn).error();
    if (*torn) continue;
    begin_gap(input_.offset(),
              closed() ? "unknown bytes stand behind the index" : "what should be a block is none");
    if (auto done = find_mark(); !done) return std::move(done).error();
  }
}

// A good head: what is wrong or missing before it is given first.
BlockStream::Step BlockStream::at_block(const BlockHead& head) {
  if (closed()) {
    begin_gap(input_.offset(), "blocks stand behind the index");
    index_.reset();  // it was not the end
  }
  bool joins = !next_entry_ || head.first_entry == *next_entry_;
  if (!joins) {
    bool missing = head.first_entry > *next_entry_;
    begin_gap(input_.offset(), missing ? "blocks are missing" : "blocks are out of order");
  } else if (next_number_ && head.number != *next_number_) {
    begin_gap(input_.offset(), "a block is missing");
  }
  known_entries_ = std::max(known_entries_, head.first_entry);
  if (in_gap_) {
    end_gap();
    in_gap_ = false;
    bool missing = next_entry_ && head.first_entry > *next_entry_;
    gap_.boundary = !next_entry_ || !joins;
    gap_.missing = missing ? head.first_entry - *next_entry_ : 0;
    next_entry_ = head.first_entry;
    next_number_ = head.number;
    return Step::gap;
  }
  head_ = head;
  block_offset_ = input_.offset();
  in_block_ = true;
  return Step::block;
}

// A good index, or a cut one at the end, is passed; anything else is left where it is.
Result<bool> BlockStream::pass_index(std::size_t frame_bytes) {
  if (rescanned_ > kMostRescan) return false;
  std::uint64_t offset = input_.offset();
  auto frame = input_.peek(frame_bytes);
  if (!frame) return std::move(frame).error();
  // One that is too short but has its end was not cut: its length is wrong.
  bool has_end =
      frame->size() >= kIndexTailBytes && index_offset(frame->last(kIndexTailBytes)).has_value();
  if (frame->size() < frame_bytes && !has_end) {
    torn_ = true;
  } else if (auto index = parse_index(*frame)) {
    known_entries_ = std::max(known_entries_, index->entries);
    end_gap();
    index_ = std::move(*index);
  } else {
    rescanned_ += frame_bytes;
    begin_gap(offset, "the index is damaged");
    return false;
  }
  if (auto done = take(frame->size()); !done) return std::move(done).error();
  return true;
}

Result<bool> BlockStream::pass_torn_tail() {
  auto rest = input_.peek(kScanStep);
  if (!rest) return std::move(rest).error();
  if (in_gap_ || rest->size() == kScanStep || !looks_torn(text_of(*rest))) return false;
  torn_ = true;
  if (auto done = take(rest->size()); !done) return std::move(done).error();
  return true;
}

// At least one byte on, to the next place where a block or an index may begin, or to the end.
Status BlockStream::find_mark() {
  constexpr std::size_t kBeforeIndexMark = 8;  // the skippable frame's own head
  std::size_t from = 1 + kBeforeIndexMark;     // the mark of an index that begins at the next byte
  for (;;) {
    auto bytes = input_.peek(kScanStep);
    if (!bytes) return std::move(bytes).error();
    std::string_view text = text_of(*bytes);
    // A block's mark begins it; an index's is preceded by 8 bytes. Both may be meant by the first
    // marks that are seen, so the nearer start is tried first.
    std::size_t block = text.find(kSync, 1);
    std::size_t index = text.find(kSync, from);
    while (index != std::string_view::npos && index + kSync.size() < text.size() &&
           text[index + kSync.size()] != kIndexMark)
      index = text.find(kSync, index + 1);
    std::size_t start =
        std::min(block, index == std::string_view::npos ? index : index - kBeforeIndexMark);
    if (start != std::string_view::npos) return take(start);
    bool last = bytes->size() < kScanStep;
    std::size_t keep = last ? 0 : kSync.size() + kBeforeIndexMark;
    if (auto done = take(bytes->size() - keep); !done) return done;
    if (last) return {};
  }
}

BlockStream::Step BlockStream::at_end() {
  bool missing = next_entry_ && known_entries_ > *next_entry_;
  // Blocks without entries at the end: only the index tells that there were more.
  bool fewer = index_ && next_number_ && index_->blocks > *next_number_;
  if (missing || fewer) begin_gap(input_.offset(), "blocks are missing");
  if (!in_gap_) return Step::end;
  end_gap();
  in_gap_ = false;
  gap_.boundary = missing || !next_entry_ || !closed();
  gap_.missing = missing ? known_entries_ - *next_entry_ : 0;
  next_entry_ = std::nullopt;
  next_number_ = std::nullopt;
  return Step::gap;
}

void BlockStream::begin_gap(std::uint64_t offset, std::string why) {
  if (in_gap_) return;
  in_gap_ = gap_open_ = true;
  gap_ = Gap{{offset, 0, std::move(why)}};
}

void BlockStream::end_gap() {
  if (in_gap_ && gap_open_) gap_.damage.bytes = input_.offset() - gap_.damage.offset;
  gap_open_ = false;
}

Result<std::optional<std::span<const std::byte>>> BlockStream::payload() {
  using Payload = std::optional<std::span<const std::byte>>;
  IOVM_ASSERT(in_block_);
  std::size_t whole = kBlockHeadBytes + head_.payload_bytes;
  auto bytes = input_.peek(whole);
  if (!bytes) return std::move(bytes).error();
  std::span<const std::byte> payload = bytes->subspan(kBlockHeadBytes);
  bool cut = bytes->size() < whole;
  if (!cut && checksum(payload) == head_.payload_check) return Payload(payload);
  Status left;
  if (cut && text_of(payload).find(kSync) == std::string_view::npos) {
    torn_ = true;
    in_block_ = false;
    left = take(bytes->size());
  } else {
    bool search = rescanned_ + whole <= kMostRescan;
    rescanned_ += whole;
    left = leave_block("a block does not match its checksum",
                       search ? kBlockHeadBytes : bytes->size());
  }
  if (!left) return std::move(left).error();
  return Payload();
}

Status BlockStream::reject(std::string why) {
  return leave_block(std::move(why), kBlockHeadBytes + std::uint64_t{head_.payload_bytes});
}

// The block is bad: its entries are known to be missing, and reading goes on `bytes` further.
Status BlockStream::leave_block(std::string why, std::uint64_t bytes) {
  IOVM_ASSERT(in_block_);
  in_block_ = false;
  begin_gap(block_offset_, std::move(why));
  known_entries_ = std::max(known_entries_, head_.first_entry + head_.entries);
  next_number_ = std::nullopt;
  return take(bytes);
}

Result<bool> BlockStream::skip() {
  IOVM_ASSERT(in_block_);
  std::uint64_t whole = kBlockHeadBytes + std::uint64_t{head_.payload_bytes};
  auto size = input_.size();
  if (size && input_.offset() + whole > *size) {
    if (auto cut = payload(); !cut) return std::move(cut).error();
    return false;
  }
  in_block_ = false;
  auto there = input_.skip(whole);
  if (!there) return std::move(there).error();
  torn_ |= !*there;
  if (!*there) return false;
  next_entry_ = head_.first_entry + head_.entries;
  next_number_ = head_.number + 1;
  return true;
}

Status BlockStream::take(std::uint64_t bytes) {
  auto there = input_.skip(bytes);
  if (!there) return std::move(there).error();
  return {};
}

std::optional<Index> BlockStream::find_index() {
  auto size = input_.size();
  if (!size || *size < kFileHeadBytes + kIndexTailBytes) return std::nullopt;
  std::vector<std::byte> bytes(kIndexTailBytes);
  auto got = input_.read_at(*size - kIndexTailBytes, bytes);
  if (!got || *got != bytes.size()) return std::nullopt;
  auto offset = index_offset(bytes);
  constexpr std::uint64_t kLargest = 1U << 20;
  if (!offset || *offset >= *size || *size - *offset > kLargest) return std::nullopt;
  bytes.resize(static_cast<std::size_t>(*size - *offset));
  got = input_.read_at(*offset, bytes);
  if (!got || *got != bytes.size()) return std::nullopt;
  return parse_index(bytes);
}

Status BlockStream::jump(std::uint64_t offset, std::uint64_t first_entry) {
  IOVM_ASSERT(!in_block_);
  next_entry_ = first_entry;
  next_number_ = std::nullopt;
  return input_.seek(offset);
}

}  // namespace iovm::trace
