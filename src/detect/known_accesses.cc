// SPDX-License-Identifier: Apache-2.0
#include "detect/vocabulary.h"

#include <algorithm>

namespace iovm::detect {
namespace {

template <typename T>
void sort_unique(std::vector<T>& items) {
  std::ranges::sort(items);
  items.erase(std::unique(items.begin(), items.end()), items.end());
}

}  // namespace

Vocabulary::Vocabulary(const std::vector<model::Operation>& alphabet) : alphabet_(alphabet) {
  for (const model::Operation& o : alphabet) {
    accesses_.push_back(model::access_of(o));
    devices_.push_back(o.device);
  }
  sort_unique(accesses_);
  sort_unique(devices_);
}

void Vocabulary::extend(const model::Alphabet& seen) {
  for (auto s = static_cast<model::Symbol>(map_.size()); s < seen.size(); ++s) {
    map_.push_back(model::is_unknown(s) ? s : look_up(seen.operation(s)));
  }
}

bool Vocabulary::knows_in_other_size(const model::Operation& operation) const {
  model::Operation access = model::access_of(operation);
  return std::ranges::any_of(accesses_, [&access](model::Operation known) {
    known.size = access.size;
    return known == access;
  });
}

model::Symbol Vocabulary::look_up(const model::Operation& operation) const {
  auto it = std::ranges::lower_bound(alphabet_, operation);
  if (it != alphabet_.end() && *it == operation) {
    return static_cast<model::Symbol>(it - alphabet_.begin()) + model::kFirstSymbol;
  }
  // A register that no table has: if training saw so many values of it that they stopped counting,
  // none counts here.
  if (operation.has(model::Mark::value) && !operation.has(model::Mark::index)) {
    model::Operation plain = model::access_of(operation);
    bool listed = model::find_register(plain.device, plain.space, plain.reg, plain.size).listed();
    auto known = std::ranges::lower_bound(alphabet_, plain);
    if (!listed && known != alphabet_.end() && *known == plain) {
      return static_cast<model::Symbol>(known - alphabet_.begin()) + model::kFirstSymbol;
    }
  }
  if (std::ranges::binary_search(accesses_, model::access_of(operation)))
    return model::kUnknownValue;
  return std::ranges::binary_search(devices_, operation.device) ? model::kUnknownRegister
                                                                : model::kUnknownDevice;
}

}  // namespace iovm::detect
