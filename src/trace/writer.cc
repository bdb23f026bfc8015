// SPDX-License-Identifier: Apache-2.0
#include "trace/writer.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "base/assert.h"
#include "base/clock.h"
#include "base/format.h"
#include "base/text.h"
#include "trace/block_head.h"
#include "trace/chain.h"
#include "trace/compress.h"
#include "trace/context_block.h"
#include "trace/event_block.h"
#include "trace/file_head.h"
#include "trace/index.h"

namespace iovm::trace {
namespace {

// A file or pipe that either takes a whole piece or, if it is a regular file, keeps nothing of it.
class Output {
 public:
  Output(UniqueFd fd, std::string name) : fd_(std::move(fd)), name_(std::move(name)) {
    struct stat about {};
    off_t position = ::lseek(fd_.get(), 0, SEEK_CUR);
    regular_ = position >= 0 && ::fstat(fd_.get(), &about) == 0 && S_ISREG(about.st_mode);
    if (regular_) end_ = position;
  }

  Status write(std::span<const std::byte> piece) {
    auto done = write_full(fd_.get(), piece);
    if (done) {
      end_ += static_cast<off_t>(piece.size());
      return {};
    }
    // What is left behind is whole blocks; if even this fails, a reader sees a torn tail.
    bool cut = regular_ && ::ftruncate(fd_.get(), end_) == 0;
    if (cut) ::lseek(fd_.get(), end_, SEEK_SET);
    return std::move(done).error().in(name_);
  }

  Status sync() {
    if (!regular_ || ::fsync(fd_.get()) == 0 || errno == EINVAL || errno == EROFS) return {};
    return errno_error(name_);
  }

 private:
  UniqueFd fd_;
  std::string name_;
  bool regular_ = false;
  off_t end_ = 0;
};

BlockHead empty_block(std::uint64_t number, std::uint64_t first_entry) {
  BlockHead head;
  head.number = number;
  head.first_entry = first_entry;
  return head;
}

}  // namespace

class TraceWriter::Impl {
 public:
  Impl(Output output, const TraceInfo& info, const WriterOptions& options)
      : output_(std::move(output)),
        options_(options),
        encoder_(options.compression_level, options.time_resolution_ns) {
    context_.info = info;
    context_.info.time_resolution_ns =
        std::max({info.time_resolution_ns, options.time_resolution_ns, std::uint64_t{1}});
  }

  Status begin();
  Status write(const Context& context, std::span<const Event> events);
  Status tick();
  Status finish();
  const WriterStats& stats() const { return stats_; }

 private:
  void take_context(const Context& context);
  void count(const Event& event);
  Status flush();
  Status put_context();
  Status put_chain(bool last);
  Status put_block(BlockKind kind, std::span<const std::byte> payload);
  Status put(std::span<const std::byte> piece);

  Output output_;
  WriterOptions options_;
  EventEncoder encoder_;
  Context context_;   // as it will stand in the file
  ContextMark mark_;  // how much of it does already
  BlockHead block_;   // of the block being filled
  std::uint64_t filling_since_ = 0;
  std::vector<std::byte> whole_;  // the block being written, head and payload
  Index index_;
  std::optional<Chain> chain_;
  WriterStats stats_;
  std::optional<Error> failure_;
  bool finished_ = false;
};

Status TraceWriter::Impl::begin() {
  auto head = encode_file_head({FileType::trace, kTraceVersion});
  if (options_.chain) chain_.emplace(head);
  if (auto done = put(head); !done) return done;
  if (auto done = put_context(); !done) return done;
  // A link at once: so a recording that is cut off early still says that it had more.
  return chain_ ? put_chain(false) : Status();
}

Status TraceWriter::Impl::write(const Context& context, std::span<const Event> events) {
  if (failure_) return *failure_;
  IOVM_ASSERT(!finished_);
  take_context(context);
  while (!events.empty()) {
    if (encoder_.entries() == 0) filling_since_ = monotonic_ns();
    std::size_t taken = encoder_.add(events);
    for (const Event& event : events.first(taken)) count(event);
    events = events.subspan(taken);
    if (encoder_.entries() == kMostEntries || taken == 0) {
      if (auto done = flush(); !done) return done;
    }
  }
  return tick();
}

// The header is create()'s; what can grow is taken over.
void TraceWriter::Impl::take_context(const Context& context) {
  auto grow = [](auto& mine, const auto& theirs) {
    if (theirs.size() > mine.size())
      mine.insert(mine.end(), theirs.begin() + static_cast<std::ptrdiff_t>(mine.size()),
                  theirs.end());
  };
  grow(context_.info.notes, context.info.notes);
  grow(context_.vms, context.vms);
  grow(context_.processes, context.processes);
}

void TraceWriter::Impl::count(const Event& event) {
  std::uint64_t time = event.time - event.time % context_.info.time_resolution_ns;
  bool first_of_block = block_.entries == 0;
  block_.earliest = first_of_block ? time : std::min(block_.earliest, time);
  block_.latest = first_of_block ? time : std::max(block_.latest, time);
  block_.entries += 1;
  if (event.kind == EventKind::loss) {
    block_.losses += 1;
    block_.lost.add(loss_of(event));
  }
}

Status TraceWriter::Impl::tick() {
  if (failure_) return *failure_;
  auto limit = static_cast<std::uint64_t>(std::max<std::int64_t>(options_.flush_after.count(), 0));
  if (encoder_.entries() == 0 || monotonic_ns() - filling_since_ < limit) return {};
  return flush();
}

Status TraceWriter::Impl::flush() {
  if (auto done = put_context(); !done) return done;
  if (encoder_.entries() == 0) return {};
  BlockHead written = block_;
  std::span<const std::byte> payload = encoder_.finish();
  if (auto done = put_block(BlockKind::events, payload); !done) return done;
  bool first = written.first_entry == 0;
  stats_.first_time = first ? written.earliest : std::min(stats_.first_time, written.earliest);
  stats_.last_time = first ? written.latest : std::max(stats_.last_time, written.latest);
  stats_.events += written.entries - written.losses;
  stats_.lost.ring += written.lost.ring;
  stats_.lost.source += written.lost.source;
  stats_.lost.damaged += written.lost.damaged;
  return chain_ && chain_->pending() >= kChainEvery ? put_chain(false) : Status();
}

// Only between blocks: none is being filled.
Status TraceWriter::Impl::put_chain(bool last) {
  std::vector<std::byte> payload = chain_->link(block_.number, last);
  block_.flags = kOptionalBlock;
  return put_block(BlockKind::chain, payload);
}

Status TraceWriter::Impl::put_context() {
  BlockHead filling = block_;
  while (auto payload = encode_context(context_, mark_)) {
    block_ = empty_block(filling.number, filling.first_entry);
    if (auto done = put_block(BlockKind::context, *payload); !done) return done;
    filling.number = block_.number;
  }
  block_ = filling;
  return {};
}

// Writes the block that block_ describes, and makes it describe the next, empty one.
Status TraceWriter::Impl::put_block(BlockKind kind, std::span<const std::byte> payload) {
  IOVM_ASSERT(payload.size() <= kLargestPayload);
  block_.kind = kind;
  block_.payload_bytes = static_cast<std::uint32_t>(payload.size());
  block_.payload_check = checksum(payload);
  auto head = encode_block_head(block_);
  whole_.assign(head.begin(), head.end());
  whole_.insert(whole_.end(), payload.begin(), payload.end());
  std::uint64_t offset = stats_.bytes;
  if (auto done = put(whole_); !done) return done;
  index_.add(offset, block_);
  if (chain_ && kind != BlockKind::chain) chain_->add(block_.number, whole_);
  block_ = empty_block(block_.number + 1, block_.first_entry + block_.entries);
  return {};
}

Status TraceWriter::Impl::put(std::span<const std::byte> piece) {
  auto done = output_.write(piece);
  if (!done) {
    failure_ =
        Error(done.error().fault(),
              format("{}; it holds {} events, up to its last whole block; free some space or "
                     "write to another place",
                     done.error().message(), stats_.events));
    return *failure_;
  }
  stats_.bytes += piece.size();
  return {};
}

Status TraceWriter::Impl::finish() {
  if (failure_) return *failure_;
  if (finished_) return {};
  if (auto done = flush(); !done) return done;
  if (chain_) {
    if (auto done = put_chain(true); !done) return done;
    stats_.chain_end = chain_->end();
  }
  if (auto done = put(encode_index(index_, stats_.bytes)); !done) return done;
  finished_ = true;
  return output_.sync();
}

TraceWriter::TraceWriter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TraceWriter::~TraceWriter() = default;

Result<std::unique_ptr<TraceWriter>> TraceWriter::create(const std::string& path,
                                                         const TraceInfo& info,
                                                         WriterOptions options) {
  auto fd = open_for_writing(path);
  if (!fd) return std::move(fd).error();
  std::string name = path == "-" ? "standard output" : escape_terminal(path);
  auto impl = std::make_unique<Impl>(Output(std::move(*fd), std::move(name)), info, options);
  if (auto done = impl->begin(); !done) return std::move(done).error();
  return std::unique_ptr<TraceWriter>(new TraceWriter(std::move(impl)));
}

Status TraceWriter::write(const Context& context, std::span<const Event> events) {
  return impl_->write(context, events);
}
Status TraceWriter::tick() {
  return impl_->tick();
}
Status TraceWriter::finish() {
  return impl_->finish();
}
const WriterStats& TraceWriter::stats() const {
  return impl_->stats();
}

}  // namespace iovm::trace
