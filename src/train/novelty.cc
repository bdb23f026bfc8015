// SPDX-License-Identifier: Apache-2.0
#include "train/novelty.h"

#include <set>

#include "model/symbol_set.h"

namespace iovm::train {

using model::kFirstSymbol;
using model::Symbol;

std::vector<bool> unseen(const model::Alphabet& alphabet, const model::Ngrams& earlier) {
  model::SymbolSet known;
  for (std::size_t i = 0; i < earlier.size(); ++i) known.add(earlier.at(i).back());
  std::set<model::Operation> accesses;
  for (Symbol s : known.symbols()) {
    if (!model::is_unknown(s)) accesses.insert(model::access_of(alphabet.operation(s)));
  }
  std::vector<bool> out(alphabet.size(), false);
  for (Symbol s = kFirstSymbol; s < alphabet.size(); ++s) {
    out[s] = !accesses.contains(model::access_of(alphabet.operation(s)));
  }
  return out;
}

std::vector<bool> strange(std::span<const model::PlaceRow> numbered, const model::Places& earlier) {
  std::vector<bool> out(numbered.size(), false);
  std::size_t known = 0, unknown = 0;
  for (std::size_t i = 1; i < numbered.size(); ++i) {
    const model::PlaceRow& row = numbered[i];
    if (!model::knows(earlier, row.device)) continue;
    out[i] = !model::contains(earlier, row.device, row.place);
    if (model::tells_the_kernel(earlier, row.place.code)) ++(out[i] ? unknown : known);
  }
  if (unknown > known) out.assign(numbered.size(), false);
  return out;
}

}  // namespace iovm::train
