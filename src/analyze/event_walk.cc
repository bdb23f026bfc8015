// SPDX-License-Identifier: Apache-2.0
#include "analyze/event_walk.h"

namespace iovm::analyze {

Result<bool> EventWalk::read() {
  if (left_ == 0 || matcher_.is_over(number_)) return false;
  auto batch = source_.next();
  if (!labels_) labels_.emplace(context().info);  // what a trace says about itself is known now
  if (!batch) return std::move(batch).error();
  batch_ = *batch;
  if (!start_ && !batch_.empty()) start_ = batch_.front().time;
  return !batch_.empty();
}

const ListedEvent* EventWalk::next() {
  while (!batch_.empty()) {
    if (left_ == 0 || matcher_.is_over(number_)) break;
    const trace::Event& event = batch_.front();
    batch_ = batch_.subspan(1);
    std::uint64_t number = number_++;
    if (needs_labels_) label_ = labels_->see(context(), event);
    if (!matcher_.matches(context(), number, event, label_.device, label_.index)) continue;
    --left_;
    listed_.emplace(ListedEvent{context(), number, event, label_, *start_});
    return &*listed_;
  }
  return nullptr;
}

}  // namespace iovm::analyze
