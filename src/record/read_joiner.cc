// SPDX-License-Identifier: Apache-2.0
#include "record/read_joiner.h"

#include <algorithm>

namespace iovm::record {

using trace::Event;
using trace::EventKind;

void ReadJoiner::begin(std::int32_t tid, const Event& event) {
  for (std::size_t i = 0; i < open_.size(); ++i) {
    if (open_[i].tid != tid) continue;
    close(i);
    break;
  }
  open_.push_back({tid, queue_.size(), event});
  queue_.push_back(event);
}

// Whether `event` ended the thread's open load. Anything else that the thread does ends it too, but
// without a value: the record that had it was lost.
bool ReadJoiner::end(std::int32_t tid, const Event& event) {
  if (event.kind == EventKind::loss) return false;
  auto open = std::ranges::find(open_, tid, &Open::tid);
  if (open == open_.end()) return false;
  bool answers = event.kind == EventKind::mmio && event.direction == trace::Direction::read &&
                 event.address == open->event.address;
  if (!answers) {
    close(static_cast<std::size_t>(open - open_.begin()));
    return false;
  }
  if (open->place == kNotQueued) {
    queue_.push_back(event);
  } else {
    // The second record has the whole size where an access crosses a page.
    Event& whole = queue_[open->place];
    Event begun = whole;
    whole = event;
    whole.time = begun.time;
    if (!whole.knows_process()) whole.process = begun.process;
  }
  open_.erase(open);
  return true;
}

// Gives up on the value of an open load.
void ReadJoiner::close(std::size_t which) {
  Open open = open_[which];
  open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(which));
  if (open.place != kNotQueued) return;
  open.event.time = std::max(open.event.time, last_);
  queue_.push_back(open.event);
}

void ReadJoiner::take_out(std::size_t which) {
  std::size_t place = open_[which].place;
  queue_.erase(queue_.begin() + static_cast<std::ptrdiff_t>(place));
  open_[which].place = kNotQueued;
  for (Open& open : open_) {
    if (open.place != kNotQueued && open.place > place) --open.place;
  }
}

void ReadJoiner::forget_handed() {
  queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(handed_));
  for (Open& open : open_) {
    if (open.place != kNotQueued) open.place -= handed_;
  }
  handed_ = 0;
}

std::span<const Event> ReadJoiner::take(std::uint64_t now) {
  if (handed_ > 0) forget_handed();
  for (std::size_t i = 0; i < open_.size(); ++i) {
    Open& open = open_[i];
    if (open.place == kNotQueued) continue;
    bool too_long = now > open.event.time && now - open.event.time > patience_;
    if (too_long || queue_.size() > kMostWaiting) take_out(i);
  }
  std::size_t ready = queue_.size();
  for (const Open& open : open_) ready = std::min(ready, open.place);
  handed_ = ready;
  return std::span<const Event>(queue_).first(ready);
}

std::span<const Event> ReadJoiner::take_all() {
  if (handed_ > 0) forget_handed();
  while (!open_.empty()) close(0);
  handed_ = queue_.size();
  return queue_;
}

}  // namespace iovm::record
