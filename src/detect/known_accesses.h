// SPDX-License-Identifier: Apache-2.0
//
// The accesses that a model knows. Its alphabet is closed: an operation that it does not have
// becomes one of the unknown symbols, by how new it is. Immutable.
#pragma once

#include <vector>

#include "model/symbol.h"

namespace iovm::detect {

class KnownAccesses {
 public:
  // A model's: sorted.
  explicit KnownAccesses(const std::vector<model::Operation>& alphabet);

  // The model's symbol of an operation.
  model::Symbol symbol(const model::Operation& operation) const;
  // True if training saw the access but for its width. Not fast.
  bool in_other_size(const model::Operation& operation) const;

 private:
  model::Alphabet operations_;              // with the model's symbols
  model::Alphabet accesses_;                // of these, without values and indices
  std::vector<model::DeviceType> devices_;  // sorted
};

}  // namespace iovm::detect
