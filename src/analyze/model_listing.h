// SPDX-License-Identifier: Apache-2.0
//
// `iovm model show`: the operations that a model knows, with how often training saw each; by
// device, then by count; with --code, from where in the guests' code training saw the devices
// driven. Pure functions over what analyze/model_diff.h counts and the model has.
#pragma once

#include <string>
#include <vector>

#include "analyze/model_diff.h"

namespace iovm::analyze {

std::string listing_text(std::vector<OperationCount> counts);
std::string listing_json(const std::vector<OperationCount>& counts);
std::string places_text(model::Places places);
std::string places_json(const model::Places& places);

}  // namespace iovm::analyze
