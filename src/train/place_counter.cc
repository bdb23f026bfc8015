// SPDX-License-Identifier: Apache-2.0
#include "train/place_counter.h"

#include <algorithm>
#include <limits>

namespace iovm::train {

void PlaceCounter::look(const trace::Event& event, const model::Token& token,
                        const model::Alphabet& alphabet, Last& last) {
  last = {event.rip, token.code, kNone};
  auto place = model::place_of(token.code, event.rip);
  if (!place || model::is_unknown(token.symbol)) return;
  const model::Operation& operation = alphabet.operation(token.symbol);
  if (!model::drives(operation)) return;
  model::PlaceRow row{operation.device, *place, 0};
  auto known = numbers_.find(row);
  if (known == numbers_.end()) {
    if (rows_.size() > std::numeric_limits<Number>::max()) return;
    known = numbers_.emplace(row, static_cast<Number>(rows_.size())).first;
    rows_.push_back(row);
  }
  last.number = known->second;
}

model::Places PlaceCounter::places() const {
  model::Places out(rows_.begin() + 1, rows_.end());
  std::ranges::sort(out);
  return out;
}

}  // namespace iovm::train
