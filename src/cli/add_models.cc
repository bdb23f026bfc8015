// SPDX-License-Identifier: Apache-2.0
#include "cli/add_models.h"

#include "base/format.h"
#include "base/text.h"
#include "model/model_file.h"

namespace iovm::cli {

Status add_models(const std::vector<std::string>& paths, std::string_view option,
                  std::optional<model::ModelData>& sum) {
  for (const std::string& path : paths) {
    auto model = model::read_model(path);
    if (!model) return std::move(model).error();
    if (!sum) {
      sum = *std::move(model);
      continue;
    }
    auto both = model::merge(*sum, *model);
    if (!both) return std::move(both).error().in(format("{}{}", option, escape_terminal(path)));
    sum = *std::move(both);
  }
  return {};
}

}  // namespace iovm::cli
