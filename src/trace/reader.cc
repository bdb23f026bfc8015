// SPDX-License-Identifier: Apache-2.0
#include "trace/reader.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "trace/block_stream.h"
#include "trace/context_block.h"
#include "trace/event_block.h"

namespace iovm::trace {
namespace {

// 64 bytes each: with the columns that they come from they stay in a core's L2 cache.
constexpr std::size_t kBatch = 4096;

}  // namespace

class TraceReader::Impl {
 public:
  Impl(BlockStream stream, std::string place, ReadOptions options)
      : stream_(std::move(stream)), place_(std::move(place)), range_(options) {
    if (range_.from > 0 || range_.to < ~std::uint64_t{0}) plan_ = stream_.find_index();
  }

  Result<std::span<const Event>> next();
  const Context& context() const { return context_; }
  const std::vector<Damage>& damage() const { return damage_; }
  std::uint64_t offset() const { return offset_; }
  bool ended_early() const { return ended_ && stream_.ended_early(); }

 private:
  Result<bool> open_block();
  Status jump_unwanted();
  Status take_context();
  Result<bool> take_events();
  void take_gap();
  std::span<const Event> give_loss();
  std::span<const Event> in_range(std::span<Event> events) const;
  // The end that nobody named is behind every time.
  bool before_end(std::uint64_t time) const {
    return time < range_.to || range_.to == ~std::uint64_t{0};
  }

  BlockStream stream_;
  std::string place_;
  ReadOptions range_;
  std::optional<Index> plan_;
  std::size_t plan_at_ = 0;
  Context context_;
  EventDecoder decoder_;
  std::vector<Event> batch_;
  Event loss_;
  std::optional<Loss> pending_loss_;  // a boundary that goes out before the next event
  bool context_suspect_ = false;      // a damaged block may have held entries of the tables
  bool in_block_ = false;
  bool trimmed_ = false;  // events of the block may lie outside of the range
  std::uint64_t last_time_ = 0;
  std::uint64_t offset_ = 0;  // of the block
  std::vector<Damage> damage_;
  bool ended_ = false;
};

Result<std::span<const Event>> TraceReader::Impl::next() {
  while (!ended_) {
    if (in_block_) {
      if (pending_loss_) return give_loss();
      std::span<Event> events = std::span(batch_).first(decoder_.decode(batch_));
      if (events.empty()) {
        in_block_ = false;
        continue;
      }
      last_time_ = events.back().time;
      std::span<const Event> wanted = trimmed_ ? in_range(events) : events;
      if (!wanted.empty()) return wanted;
      continue;
    }
    auto opened = open_block();
    if (!opened) return std::move(opened).error().in(place_);
    if (!*opened) {
      ended_ = true;
      if (pending_loss_) return give_loss();
    }
  }
  return std::span<const Event>();
}

// To the next block of wanted events; false at the end.
Result<bool> TraceReader::Impl::open_block() {
  for (;;) {
    if (auto done = jump_unwanted(); !done) return std::move(done).error();
    auto step = stream_.next();
    if (!step) return std::move(step).error();
    if (*step == BlockStream::Step::end) return false;
    if (*step == BlockStream::Step::gap) {
      take_gap();
      continue;
    }
    BlockKind kind = stream_.head().kind;
    if (kind == BlockKind::context) {
      if (auto done = take_context(); !done) return std::move(done).error();
    } else if (kind == BlockKind::events) {
      auto taken = take_events();
      if (!taken || *taken) return taken;
    } else if (kind == BlockKind::chain) {
      // Nothing in it is for a reader, but damage is damage.
      if (auto checked = stream_.payload(); !checked) return std::move(checked).error();
    } else if (!stream_.head().optional()) {
      return input_error(
          "it has a block of a kind that this iovm does not know and must not skip; "
          "read it with a newer iovm");
    }
  }
}

// By the index: past the runs of blocks that hold nothing for this reader.
Status TraceReader::Impl::jump_unwanted() {
  if (!plan_) return {};
  const std::vector<IndexRun>& runs = plan_->runs;
  while (plan_at_ < runs.size() && runs[plan_at_].offset < stream_.position()) ++plan_at_;
  std::size_t wanted = plan_at_;
  while (wanted < runs.size() && !runs[wanted].wanted(range_.from, range_.to)) ++wanted;
  bool here = plan_at_ < runs.size() && runs[plan_at_].offset == stream_.position();
  if (!here || wanted == plan_at_ || wanted == runs.size()) return {};
  plan_at_ = wanted;
  return stream_.jump(runs[wanted].offset, runs[wanted].first_entry);
}

Status TraceReader::Impl::take_context() {
  auto payload = stream_.payload();
  if (!payload) return std::move(payload).error();
  if (!*payload) return {};
  if (auto done = apply_context(**payload, context_); !done)
    return stream_.reject(done.error().message());
  if (auto done = stream_.skip(); !done) return std::move(done).error();
  return {};
}

Result<bool> TraceReader::Impl::take_events() {
  const BlockHead head = stream_.head();
  offset_ = stream_.offset();
  bool unwanted = head.latest < range_.from || !before_end(head.earliest);
  if (unwanted) {
    if (head.latest < range_.from) pending_loss_.reset();
    if (auto done = stream_.skip(); !done) return std::move(done).error();
    return false;
  }
  auto payload = stream_.payload();
  if (!payload) return std::move(payload).error();
  if (!*payload) return false;
  Status usable = decoder_.open(**payload, head.entries);
  if (usable && decoder_.uses().processes > context_.processes.size()) {
    if (context_suspect_)
      decoder_.forget_processes(static_cast<std::uint32_t>(context_.processes.size()));
    else
      usable = input_error("an event block uses a process that the trace does not have");
  }
  if (!usable) {
    if (auto done = stream_.reject(usable.error().message()); !done) return std::move(done).error();
    return false;
  }
  if (decoder_.uses().vms > 0) cover_vm(context_, decoder_.uses().vms - 1);
  if (auto done = stream_.skip(); !done) return std::move(done).error();
  trimmed_ = head.earliest < range_.from || !before_end(head.latest);
  in_block_ = head.entries > 0;
  std::size_t needed = std::min<std::size_t>(kBatch, head.entries);
  if (batch_.size() < needed) batch_.resize(needed);
  return in_block_;
}

void TraceReader::Impl::take_gap() {
  const Gap& gap = stream_.gap();
  damage_.push_back(gap.damage);
  context_suspect_ = true;
  if (!gap.boundary) return;
  Loss loss{LossCause::damaged, gap.missing};
  if (pending_loss_)
    loss.count = pending_loss_->count && gap.missing ? pending_loss_->count + gap.missing : 0;
  pending_loss_ = loss;
}

std::span<const Event> TraceReader::Impl::give_loss() {
  std::uint64_t time = std::clamp(last_time_, range_.from, std::max(range_.from, range_.to - 1));
  loss_ = make_loss(time, kAllVms, std::nullopt, *pending_loss_);
  pending_loss_.reset();
  return std::span(&loss_, 1);
}

std::span<const Event> TraceReader::Impl::in_range(std::span<Event> events) const {
  auto end = std::remove_if(events.begin(), events.end(), [&](const Event& event) {
    return event.time < range_.from || !before_end(event.time);
  });
  return {events.begin(), end};
}

TraceReader::TraceReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TraceReader::~TraceReader() = default;

Result<std::unique_ptr<TraceReader>> TraceReader::open(const std::string& path,
                                                       ReadOptions options) {
  auto stream = BlockStream::open(path);
  if (!stream) return std::move(stream).error();
  std::string place = path == "-" ? "standard input" : escape_terminal(path);
  auto impl = std::make_unique<Impl>(std::move(*stream), std::move(place), options);
  return std::unique_ptr<TraceReader>(new TraceReader(std::move(impl)));
}

Result<std::span<const Event>> TraceReader::next() {
  return impl_->next();
}
const Context& TraceReader::context() const {
  return impl_->context();
}
std::uint64_t TraceReader::offset() const {
  return impl_->offset();
}
const std::vector<Damage>& TraceReader::damage() const {
  return impl_->damage();
}
bool TraceReader::ended_early() const {
  return impl_->ended_early();
}

}  // namespace iovm::trace
