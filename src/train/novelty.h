// SPDX-License-Identifier: Apache-2.0
//
// What later work has that earlier work had not, apart from its order: accesses, and the code that
// makes them.
#pragma once

#include <span>
#include <vector>

#include "model/code_place.h"
#include "model/ngrams.h"
#include "model/symbol.h"

namespace iovm::train {

// By symbol of the alphabet: the earlier work has no such access, whatever the value.
std::vector<bool> unseen(const model::Alphabet& alphabet, const model::Ngrams& earlier);

// By number: the earlier work drives that kind of device, but not from there. Of a guest with
// another kernel all is strange, and that says nothing: it is told once, not counted.
std::vector<bool> strange(std::span<const model::PlaceRow> numbered, const model::Places& earlier);

}  // namespace iovm::train
