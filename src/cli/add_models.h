// SPDX-License-Identifier: Apache-2.0
//
// Model files put together: what `iovm model merge` and `iovm train --merge` have in common.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/model_data.h"

namespace iovm::cli {

// Adds the counts of each to `sum`; where there is none yet, the first becomes it. `option` stands
// before the name of a model whose counts cannot be added: "--merge ", or nothing.
Status add_models(const std::vector<std::string>& paths, std::string_view option,
                  std::optional<model::ModelData>& sum);

}  // namespace iovm::cli
