// SPDX-License-Identifier: Apache-2.0
#include "detect/session_scorer.h"

namespace iovm::detect {

SessionScorer::SessionScorer(const model::ModelData& data)
    : data_(data), sets_(data.sets, data.symbols()) {}

SessionScore SessionScorer::operator()(double bits, const model::SymbolSet& distinct,
                                       Vocabulary& vocabulary, const model::Alphabet& seen) const {
  SessionScore out{bits, 0, bits, 1};
  if (data_.options.session == model::SessionView::combined) {
    std::vector<model::Symbol> known;
    std::size_t unknown = 0;
    for (model::Symbol symbol : distinct.symbols()) {
      model::Symbol ours = vocabulary(symbol, seen);
      if (ours != model::kOverflow && model::is_unknown(ours)) {
        ++unknown;
      } else {
        known.push_back(ours);
      }
    }
    out.distance = sets_.distance(known, unknown);
    out.score = data_.calibration.scale.combine(bits, out.distance);
  }
  out.p_value = model::session_p_value(data_.calibration, out.score);
  return out;
}

}  // namespace iovm::detect
