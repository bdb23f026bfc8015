// SPDX-License-Identifier: Apache-2.0
#include "cli/retrain.h"

#include <algorithm>

#include "base/text.h"
#include "detect/detector.h"
#include "model/model_file.h"
#include "trace/reader.h"

namespace iovm::cli {
namespace {

class Nobody : public detect::AlertSink {
  Status closed(const detect::Alert&) override { return {}; }
};

Result<std::uint64_t> alerts_of(const std::string& trace, const model::ModelData& data,
                                const model::Model& model) {
  auto reader = trace::TraceReader::open(trace);
  if (!reader) return std::move(reader).error();
  Nobody nobody;
  detect::Detector detector(data, model, trace, nobody);
  if (auto ok = detect::run(**reader, detector); !ok) {
    return Error(ok.error()).in(escape_terminal(trace));
  }
  return detector.stats().alerts;
}

}  // namespace

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
    std::vector<std::string> good;
    for (const std::string& trace : judged.good) {
      Result<std::uint64_t> alerts = 0;
      if (!is_accepted(trace)) alerts = alerts_of(trace, *data, model);
      if (!alerts) return std::move(alerts).error();
      if (*alerts == 0) good.push_back(trace);
      if (*alerts > 0) judged.bad.push_back({trace, path, *alerts});
    }
    judged.good = std::move(good);
  }
  return judged;
}

}  // namespace iovm::cli
