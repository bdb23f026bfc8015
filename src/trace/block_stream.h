// SPDX-License-Identifier: Apache-2.0
//
// A trace file as its blocks, for everything that reads one: it checks heads and payloads, finds
// the next good block after damage, and tells a torn tail (normal: the writer was killed, the disk
// was full) from a bad middle (news). It knows no event.
//
//   for (;;) switch (*stream.next()) {
//     case Step::block: stream.payload() or stream.skip(); ...
//     case Step::gap:   something is missing or wrong here: stream.gap(); what follows is good
//     again case Step::end:   stream.closed(), stream.ended_early()
//   }
//
// A payload that turns out bad (by its checksum, or by reject()) is reported as a gap by a later
// next(), together with everything else that is bad up to the next good block.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "trace/block_head.h"
#include "trace/byte_input.h"
#include "trace/index.h"
#include "trace/reader.h"

namespace iovm::trace {

struct Gap {
  Damage damage;
  bool boundary = false;      // events are missing: none before may be joined to one after
  std::uint64_t missing = 0;  // that many; 0: not known
};

class BlockStream {
 public:
  // Reads the file head; `path` may be "-".
  static Result<BlockStream> open(const std::string& path);
  // The same of bytes from elsewhere; `place` is for messages.
  static Result<BlockStream> open(ByteInput input, const std::string& place);

  enum class Step { block, gap, end };
  Result<Step> next();

  // After a block: its head, where it begins, and (until the next call) its payload; none means
  // that it is torn or damaged, as the next next() will tell.
  const BlockHead& head() const { return head_; }
  std::uint64_t offset() const { return block_offset_; }
  Result<std::optional<std::span<const std::byte>>> payload();
  // Past the block (wanted or not); false if it is cut. Or: what its payload says cannot be.
  Result<bool> skip();
  Status reject(std::string why);

  const Gap& gap() const { return gap_; }
  bool closed() const { return index_.has_value(); }
  const std::optional<Index>& index() const { return index_; }
  bool ended_early() const { return torn_ || !closed(); }

  // For regular files: the index read from the end; and the way past a run of it.
  std::optional<Index> find_index();
  std::uint64_t position() const { return input_.offset(); }
  Status jump(std::uint64_t offset, std::uint64_t first_entry);
  // Of the input so far (all of it after the end).
  std::uint64_t bytes() const { return input_.offset(); }

 private:
  explicit BlockStream(ByteInput input) : input_(std::move(input)) {}
  Status read_file_head(const std::string& place);
  Step at_block(const BlockHead& head);
  Result<bool> pass_index(std::size_t frame_bytes);
  Result<bool> pass_torn_tail();
  Status find_mark();
  Step at_end();
  void begin_gap(std::uint64_t offset, std::string why);
  void end_gap();
  Status leave_block(std::string why, std::uint64_t bytes);
  Status take(std::uint64_t bytes);

  ByteInput input_;
  BlockHead head_;
  std::uint64_t block_offset_ = 0;
  bool in_block_ = false;  // head_ is given and its payload not yet dealt with

  Gap gap_;
  bool in_gap_ = false;                          // gap_ is not given yet
  bool gap_open_ = false;                        // and nothing good came since
  std::uint64_t rescanned_ = 0;                  // bytes of bad payloads that were searched again
  std::optional<std::uint64_t> next_entry_ = 0;  // first_entry of the next block; unknown: any
  std::optional<std::uint64_t> next_number_ = 0;
  std::uint64_t known_entries_ = 0;  // the file held at least so many, by the heads seen
  std::optional<Index> index_;
  bool torn_ = false;
};

}  // namespace iovm::trace
