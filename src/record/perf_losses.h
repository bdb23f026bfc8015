// SPDX-License-Identifier: Apache-2.0
//
// What one perf ring has lost, and where. The kernel tells of a gap by a LOST record, but only in
// front of the next record that finds room: if the vCPU goes on on another CPU, that may come much
// later or never. The kernel's own count of an event's lost samples (PERF_FORMAT_LOST, from Linux
// 6.0) knows at once, but not where.
//
// Together they know both. If the count is read first and the ring looked at then, every loss in
// the count either has its LOST record in front of the end that was seen, or happened exactly at
// that end: a record behind it would have been preceded by a LOST record. So, once the reader has
// come to that end, what the count has more than the LOST records is missing there.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

namespace iovm::record {

class PerfLosses {
 public:
  // The kernel's count so far, read before the ring was seen to end at `end`.
  void counted(std::uint64_t lost, std::uint64_t end) { gap_ = Gap{lost, end}; }

  // A LOST record of so many; how many of them are news.
  std::uint64_t record(std::uint64_t lost) {
    recorded_ += lost;
    return tell(recorded_);
  }

  // The reader has consumed the ring up to `position`; how many are missing there.
  std::uint64_t reached(std::uint64_t position) {
    if (!gap_ || position < gap_->end) return 0;
    std::uint64_t lost = gap_->lost;
    gap_.reset();
    return tell(lost);
  }

  std::uint64_t told() const { return told_; }

 private:
  struct Gap {
    std::uint64_t lost;
    std::uint64_t end;
  };

  std::uint64_t tell(std::uint64_t total) {
    std::uint64_t news = total - std::min(total, told_);
    told_ += news;
    return news;
  }

  std::optional<Gap> gap_;
  std::uint64_t recorded_ = 0;
  std::uint64_t told_ = 0;
};

}  // namespace iovm::record
