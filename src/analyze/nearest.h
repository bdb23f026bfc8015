// SPDX-License-Identifier: Apache-2.0
//
// What normal would have looked like: of all sequences that training counted, the one nearest to
// what the guest did, laid beside it step by step. Near is by edit distance, where another value at
// the same register costs less than another register, and that less than a step too many or
// missing; of equally near ones the most frequent wins.
//
// The sequences are the model's own n-grams, so it costs one look at each of those that end on the
// same kind of device, at most kLooked.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/model_data.h"

namespace iovm::analyze {

// One step of both; what only one of them has is empty in the other.
struct AlignedStep {
  std::string seen;
  std::string normal;
  bool same() const { return seen == normal; }
};

struct NearestNormal {
  std::vector<AlignedStep> steps;
  std::uint64_t count = 0;  // how often training saw the normal one
};

inline constexpr std::size_t kLooked = 100'000;

// Of the last steps of `sequence`, as many as the model's sequences have. Nothing where training
// never saw the kind of device, where the sequence is one of training's, or for bare numbers.
std::optional<NearestNormal> nearest_normal(const model::ModelData& data,
                                            std::span<const model::Operation> sequence);

}  // namespace iovm::analyze
