// SPDX-License-Identifier: Apache-2.0
//
// From the symbols of a recording's tokenizer to those of a model (detect/known_accesses.h). Each
// symbol of the recording is looked up once; after that it is an array access.
#pragma once

#include <vector>

#include "detect/known_accesses.h"

namespace iovm::detect {

class Vocabulary {
 public:
  // `known` must outlive it.
  explicit Vocabulary(const KnownAccesses& known) : known_(known) {}

  // The model's symbol of a recording's; `seen` is the alphabet of its tokenizer.
  model::Symbol operator()(model::Symbol symbol, const model::Alphabet& seen) {
    if (symbol >= map_.size()) extend(seen);
    return map_[symbol];
  }

 private:
  void extend(const model::Alphabet& seen) {
    for (auto s = static_cast<model::Symbol>(map_.size()); s < seen.size(); ++s) {
      map_.push_back(model::is_unknown(s) ? s : known_.symbol(seen.operation(s)));
    }
  }

  const KnownAccesses& known_;
  std::vector<model::Symbol> map_;  // by the recording's symbol
};

}  // namespace iovm::detect
