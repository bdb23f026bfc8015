// SPDX-License-Identifier: Apache-2.0
//
// What normal would have looked like: of all sequences that training counted, the one nearest to
// what the guest did, laid beside it step by step. Near is by edit distance, where another value at
// the same register costs less than another register, and that less than a step too many or
// missing; of equally near ones the most frequent wins.
//
// The sequences are the model's own n-grams, so it costs one look at each of those that end on the
// same kind of device, at most kLooked. What the guest did comes by short names
// (model::short_name), as alerts have it: so an alert from a file is as good as one made just now,
// and an operation that the model never saw needs no number in it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
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

class NearestFinder {
 public:
  // `data` must outlive it.
  explicit NearestFinder(const model::ModelData& data);

  // Of the last steps of a sequence, as many as the model's have; `texts` says the same in words.
  // Nothing where training never saw the kind of device, where the sequence is one of training's,
  // or for bare numbers.
  std::optional<NearestNormal> find(std::span<const std::string> names,
                                    std::span<const std::string> texts);

 private:
  // What two steps can have in common, as numbers that are equal where it is.
  struct Step {
    std::uint32_t device = 0;
    std::uint32_t place = 0;   // the register
    std::uint32_t access = 0;  // without value and index
    std::uint32_t whole = 0;
    const model::Operation* operation = nullptr;  // of the model
  };
  using Steps = std::vector<Step>;

  std::uint32_t number_of(std::string_view part);
  Step step_of(std::string_view name);
  void take(std::size_t ngram, Steps& steps) const;
  static unsigned cost(const Step& a, const Step& b);
  template <typename Costs>
  static unsigned fill(const Steps& seen, const Steps& normal, Costs& costs);
  static std::vector<AlignedStep> align(const Steps& seen, std::span<const std::string> texts,
                                        const Steps& normal);

  const model::ModelData& data_;
  std::unordered_map<std::string, std::uint32_t> numbers_;
  Steps alphabet_;
};

}  // namespace iovm::analyze
