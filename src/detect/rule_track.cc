// SPDX-License-Identifier: Apache-2.0
#include "detect/rule_track.h"

#include <algorithm>
#include <limits>

namespace iovm::detect {

void Track::clear() {
  for (Place& place : places_) place.end();
}

bool Track::waiting() const {
  return std::ranges::any_of(places_, [](const Place& p) { return p.open || p.count > 0; });
}

// True if it was counted.
bool Track::count(const RuleStep& step, Place& place, std::uint32_t elements, const Mark& mark) {
  if (step.different) {
    auto at = std::ranges::lower_bound(place.addresses, mark.address);
    if (at != place.addresses.end() && *at == mark.address) return false;
    place.addresses.insert(at, mark.address);
    elements = 1;
  }
  bool first = place.count == 0;
  constexpr std::uint32_t kMost = std::numeric_limits<std::uint32_t>::max();
  place.count += std::min(elements, kMost - place.count);
  if (first) {
    if (place.marks.empty()) place.began = mark.time;
    place.marks.push_back(mark);
    place.marks.push_back(mark);
  } else {
    place.marks.back() = mark;
  }
  return true;
}

// The attempt has done its step: it goes to the next place.
void Track::move_on(std::size_t from) {
  Place &here = places_[from], &next = places_[from + 1];
  if (!next.open || next.count == 0) {
    next.open = true;
    next.count = 0;
    next.began = here.began;
    next.addresses.clear();
    next.marks.swap(here.marks);
  }
  here.end();
}

std::span<const Mark> Track::see(const Rule& rule, std::uint32_t meant, std::uint32_t elements,
                                 const Mark& mark) {
  for (std::size_t i = places_.size(); i-- > 0;) {
    Place& place = places_[i];
    const RuleStep& step = rule.steps[i];
    if (i > 0 && !place.open) continue;
    bool late = rule.within != 0 && !place.marks.empty() && mark.time > place.began &&
                mark.time - place.began > rule.within;
    if (late || (meant & step.without) != 0) {
      place.end();
      // What came too late may be a beginning; what ended the wait is none.
      if (i > 0 || !late) continue;
    }
    if ((meant & step.want) == 0 || !count(step, place, elements, mark)) continue;
    if (place.count < step.count) continue;
    if (i + 1 == places_.size()) {
      whole_.swap(place.marks);
      clear();
      return whole_;
    }
    move_on(i);
  }
  return {};
}

Track* Tracks::find(std::uint64_t key, std::uint32_t era) {
  auto it = index_.find(key);
  if (it == index_.end()) return nullptr;
  Slot& slot = slots_[it->second];
  if (slot.era != era) {
    slot.era = era;
    slot.track.clear();
  }
  return &slot.track;
}

Track& Tracks::at(const Rule& rule, std::uint64_t key, std::uint32_t era) {
  if (Track* track = find(key, era)) return *track;
  if (slots_.size() < kMaxTracks) {
    index_.emplace(key, slots_.size());
    return slots_.emplace_back(Slot{key, era, Track(rule)}).track;
  }
  Slot& slot = slots_[oldest_];
  index_.erase(slot.key);
  index_.emplace(key, oldest_);
  slot.key = key;
  slot.era = era;
  slot.track.clear();
  oldest_ = (oldest_ + 1) % kMaxTracks;
  return slot.track;
}

}  // namespace iovm::detect
