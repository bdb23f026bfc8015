// SPDX-License-Identifier: Apache-2.0
#include "train/others.h"

#include "train/novelty.h"

namespace iovm::train {

ByOthers score_by_others(const Recording& recording, const model::Ngrams& whole,
                         const model::Options& options, const model::Alphabet& alphabet) {
  if (recording.tokens.empty()) return {};  // they gave way to later ones
  model::Ngrams rest =
      model::shortened(model::without(whole, recording.ngrams), options.context() + 1);
  if (rest.size() == 0) return {};
  model::Model model(options, rest, alphabet.size());
  model::SetView sets({}, alphabet.size());
  Calibrator calibrator(model, sets, unseen(alphabet, rest));
  calibrator.session(recording.tokens, {}, {}, 0);
  ByOthers out;
  out.oddest = calibrator.oddest();
  out.calibration = calibrator.take();
  return out;
}

}  // namespace iovm::train
