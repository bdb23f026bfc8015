// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/text.h"
#include "trace/block_stream.h"
#include "trace/reader.h"

namespace iovm::trace {
namespace {

void add_block(TraceSummary& summary, const BlockHead& head, bool first) {
  summary.blocks += 1;
  if (head.entries == 0) return;
  summary.first_time = first ? head.earliest : std::min(summary.first_time, head.earliest);
  summary.last_time = first ? head.latest : std::max(summary.last_time, head.latest);
  summary.events += head.entries - head.losses;
  summary.lost.ring += head.lost.ring;
  summary.lost.source += head.lost.source;
  summary.lost.damaged += head.lost.damaged;
}

void add_gap(TraceSummary& summary, const Gap& gap) {
  summary.damage.push_back(gap.damage);
  if (gap.boundary) summary.lost.add({LossCause::damaged, gap.missing});
}

Result<TraceSummary> sum_up(BlockStream stream, bool verify) {
  TraceSummary summary;
  bool any_entry = false;
  for (;;) {
    auto step = stream.next();
    if (!step) return std::move(step).error();
    if (*step == BlockStream::Step::end) break;
    if (*step == BlockStream::Step::gap) {
      add_gap(summary, stream.gap());
      continue;
    }
    BlockHead head = stream.head();
    if (verify) {
      auto payload = stream.payload();
      if (!payload) return std::move(payload).error();
      if (!*payload) continue;
    }
    auto there = stream.skip();
    if (!there) return std::move(there).error();
    if (!*there) continue;
    add_block(summary, head, !any_entry);
    any_entry |= head.entries > 0;
  }
  summary.bytes = stream.bytes();
  summary.indexed = stream.closed();
  return summary;
}

}  // namespace

Result<TraceSummary> summarize(const std::string& path, bool verify) {
  auto stream = BlockStream::open(path);
  if (!stream) return std::move(stream).error();
  auto summary = sum_up(std::move(*stream), verify);
  if (!summary) {
    return std::move(summary).error().in(path == "-" ? "standard input" : escape_terminal(path));
  }
  return summary;
}

}  // namespace iovm::trace
