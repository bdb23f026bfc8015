// SPDX-License-Identifier: Apache-2.0
#include "cli/retrain.h"

#include <algorithm>

#include "cli/normal_run.h"
#include "model/model_file.h"

namespace iovm::cli {

Result<Judged> judge(const std::vector<std::string>& traces, const std::vector<std::string>& models,
                     const std::vector<std::string>& accepted) {
  auto is_accepted = [&accepted](const std::string& trace) {
    return std::ranges::find(accepted, trace) != accepted.end();
  };
  auto is_unseen = [&is_accepted](const std::string& trace) {
    return trace == "-" && !is_accepted(trace);
  };
  if (!models.empty() && std::ranges::any_of(traces, is_unseen)) {
    return usage_error(
        "standard input cannot be looked at by the model before it is learned from (put it into a "
        "file, or say --accept -)");
  }
  Judged judged{traces, {}};
  for (const std::string& path : models) {
    auto data = model::read_model(path);
    if (!data) return std::move(data).error();
    model::Model model = data->model();
    detect::Learned learned(*data, model);
    std::vector<std::string> good;
    for (const std::string& trace : judged.good) {
      Result<NormalRun> run = NormalRun{};
      if (!is_accepted(trace)) run = look_over(trace, learned);
      if (!run) return std::move(run).error();
      if (run->alerts == 0) good.push_back(trace);
      if (run->alerts > 0) judged.bad.push_back({trace, path, run->alerts});
    }
    judged.good = std::move(good);
  }
  return judged;
}

}  // namespace iovm::cli
