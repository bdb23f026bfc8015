// SPDX-License-Identifier: Apache-2.0
//
// iovm model: what can be done with model files themselves, without a recording.
#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "analyze/model_diff.h"
#include "analyze/model_listing.h"
#include "analyze/usual_work.h"
#include "base/format.h"
#include "base/text.h"
#include "cli/add_models.h"
#include "cli/commands.h"
#include "cli/stdout.h"
#include "model/model_file.h"

namespace iovm::cli {
namespace {

Result<ExitStatus> run_merge(CommandLine& line) {
  std::vector<std::string> paths;
  std::string output;
  line.positional("MODEL", paths, "models made with the same options");
  line.option("-o,--output", output, "MODEL", "the model file to write, or -").required();
  if (auto end = line.parse()) return *end;
  std::optional<model::ModelData> sum;
  if (auto ok = add_models(paths, "", sum); !ok) return Error(ok.error());
  if (auto ok = model::write_model(output, *sum); !ok) return Error(ok.error());
  return ExitStatus::done;
}

Result<ExitStatus> run_diff(CommandLine& line) {
  std::string first;
  std::string second;
  bool json = false;
  line.positional("FIRST", first, "a model file");
  line.positional("SECOND", second, "the model file to hold against it");
  line.flag("--json", json, "print JSON");
  if (auto end = line.parse()) return *end;
  auto a = model::read_model(first);
  if (!a) return std::move(a).error();
  auto b = model::read_model(second);
  if (!b) return std::move(b).error();
  analyze::ModelDiff diff = analyze::compare(*a, *b, {first, second});
  auto ok = print_out(json ? analyze::render_json(diff) : analyze::render_text(diff));
  if (!ok) return Error(ok.error());
  return ExitStatus::done;
}

using IsOther = std::function<bool(const model::DeviceType&)>;

std::string operations_of(const model::ModelData& data, const IsOther& is_other, bool json) {
  std::vector<analyze::OperationCount> counts = analyze::operation_counts(data);
  std::erase_if(counts, [&](const auto& count) { return is_other(count.operation.device); });
  return json ? analyze::listing_json(counts) : analyze::listing_text(counts);
}

std::string work_of(const model::ModelData& data, const IsOther& is_other, bool json) {
  std::vector<analyze::UsualWork> work = analyze::usual_work(data);
  std::erase_if(work, [&](const auto& row) { return is_other(row.kind.device); });
  return json ? analyze::work_json(work) : analyze::work_text(work);
}

std::string code_of(const model::ModelData& data, const IsOther& is_other, bool json) {
  model::Places places = data.places;
  std::erase_if(places, [&](const auto& row) { return is_other(row.device); });
  return json ? analyze::places_json(places) : analyze::places_text(places);
}

Result<ExitStatus> run_show(CommandLine& line) {
  std::string path;
  std::string device;
  bool json = false;
  bool work = false;
  bool code = false;
  line.positional("MODEL", path, "a model file");
  line.option("-d,--device", device, "KEY", "only this kind of device: fdc, ide0, 8086:100e");
  line.flag("--work", work, "how much work a minute of training had, and from what on is an alarm");
  line.flag("--code", code, "from where in the guests' code training saw the devices driven");
  line.flag("--json", json, "print JSON");
  if (auto end = line.parse()) return *end;
  if (work && code) return usage_error("--work and --code are two listings; ask for one");
  auto data = model::read_model(path);
  if (!data) return std::move(data).error();
  auto is_other = [&device](const model::DeviceType& type) {
    return !device.empty() && model::device_key(type) != device;
  };
  if (!device.empty() && std::ranges::all_of(data->alphabet, is_other, &model::Operation::device)) {
    return usage_error(
        format("--device \"{}\": the model has no such device (iovm info {} lists "
               "the names, with --json the keys)",
               escape_terminal(device), escape_terminal(path)));
  }
  auto text_of = work ? work_of : code ? code_of : operations_of;
  auto ok = print_out(text_of(*data, is_other, json));
  if (!ok) return Error(ok.error());
  return ExitStatus::done;
}

const Command kMerge{"merge", "add the counts of models to one model", run_merge};
const Command kDiff{"diff", "tell what two models do not have in common", run_diff};
const Command kShow{"show", "list the operations that a model knows", run_show};
constexpr std::array<const Command*, 3> kParts = {&kMerge, &kDiff, &kShow};

}  // namespace

const Command kModel{"model", "merge, compare and list model files", nullptr, kParts};

}  // namespace iovm::cli
