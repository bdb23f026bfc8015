// SPDX-License-Identifier: Apache-2.0
#include "detect/known_accesses.h"

#include <algorithm>

namespace iovm::detect {

KnownAccesses::KnownAccesses(const std::vector<model::Operation>& alphabet) {
  for (const model::Operation& o : alphabet) {
    operations_.intern(o);
    accesses_.intern(model::access_of(o));
    // The alphabet is sorted by device.
    if (devices_.empty() || devices_.back() != o.device) devices_.push_back(o.device);
  }
}

bool KnownAccesses::in_other_size(const model::Operation& operation) const {
  model::Operation access = model::access_of(operation);
  for (model::Symbol s = model::kFirstSymbol; s < accesses_.size(); ++s) {
    model::Operation known = accesses_.operation(s);
    known.size = access.size;
    if (known == access) return true;
  }
  return false;
}

model::Symbol KnownAccesses::symbol(const model::Operation& operation) const {
  if (auto known = operations_.find(operation)) return *known;
  model::Operation access = model::access_of(operation);
  // A register that no table has: if training saw so many values of it that they stopped counting,
  // none counts here.
  if (operation.has(model::Mark::value) && !operation.has(model::Mark::index)) {
    bool listed =
        model::find_register(access.device, access.space, access.reg, access.size).listed();
    auto known = operations_.find(access);
    if (!listed && known) return *known;
  }
  if (accesses_.find(access)) return model::kUnknownValue;
  return std::ranges::binary_search(devices_, operation.device) ? model::kUnknownRegister
                                                                : model::kUnknownDevice;
}

}  // namespace iovm::detect
