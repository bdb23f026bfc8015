// SPDX-License-Identifier: Apache-2.0
//
// From the symbols of a recording's tokenizer to those of a model. The model's alphabet is closed:
// an operation that it does not have becomes one of the unknown symbols, by how new it is. Each
// symbol of the recording is looked up once; after that it is an array access.
#pragma once

#include <vector>

#include "model/model_data.h"
#include "model/tokenizer.h"

namespace iovm::detect {

class Vocabulary {
 public:
  explicit Vocabulary(const std::vector<model::Operation>& alphabet);

  // The model's symbol of a recording's; `seen` is the alphabet of its tokenizer.
  model::Symbol operator()(model::Symbol symbol, const model::Alphabet& seen) {
    if (symbol >= map_.size()) extend(seen);
    return map_[symbol];
  }

  // True if training saw the access but for its width. Not fast.
  bool knows_in_other_size(const model::Operation& operation) const;

 private:
  void extend(const model::Alphabet& seen);
  model::Symbol look_up(const model::Operation& operation) const;

  const std::vector<model::Operation>& alphabet_;
  std::vector<model::Operation> accesses_;  // of the alphabet, without values and indices; sorted
  std::vector<model::DeviceType> devices_;  // sorted
  std::vector<model::Symbol> map_;          // by the recording's symbol
};

}  // namespace iovm::detect
