// SPDX-License-Identifier: Apache-2.0
#include "record/machine_order.h"

#include <algorithm>

namespace iovm::record {

void MachineOrder::add(std::int32_t tid, Decoded what, const trace::Event& event) {
  newest_ = std::max(newest_, event.time);
  items_.push_back({event, tid, what});
  if (items_.size() < most_) return;
  std::vector<std::uint64_t> times;
  times.reserve(items_.size());
  for (const Item& item : items_) times.push_back(item.event.time);
  auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  release(*middle);
}

void MachineOrder::end_of_round() {
  release(newest_of_last_round_);
  newest_of_last_round_ = newest_;
}

void MachineOrder::end() {
  release(~std::uint64_t{0});
  ended_ = true;
}

void MachineOrder::release(std::uint64_t until) {
  auto keep = std::stable_partition(items_.begin(), items_.end(),
                                    [&](const Item& item) { return item.event.time <= until; });
  auto older = [](const Item& a, const Item& b) { return a.event.time < b.event.time; };
  std::stable_sort(items_.begin(), keep, older);
  for (auto item = items_.begin(); item != keep; ++item) {
    if (item->event.time < now_) {
      item->event.time = now_;
      ++late_;
    }
    now_ = item->event.time;
    joiner_.add(item->tid, item->what, item->event);
  }
  items_.erase(items_.begin(), keep);
}

std::span<const trace::Event> MachineOrder::take() {
  return ended_ ? joiner_.take_all() : joiner_.take(now_);
}

}  // namespace iovm::record
