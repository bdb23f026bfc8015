// SPDX-License-Identifier: Apache-2.0
//
// iovm eval: a model, recordings of normal work and recordings of attacks in; how well the one is
// told from the other out.
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "analyze/file_facts.h"
#include "base/fd.h"
#include "base/format.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/evaluator.h"
#include "cli/progress_line.h"
#include "cli/stdout.h"
#include "model/model_file.h"

namespace iovm::cli {
namespace {

struct EvalOptions {
  std::string model;
  std::vector<std::string> normal;
  std::vector<std::string> attack;
  std::optional<std::string> truth;
  std::optional<std::string> svg;
  bool json = false;
  bool quiet = false;
};

void declare(CommandLine& line, EvalOptions& options) {
  line.option("-m,--model", options.model, "MODEL", "the model of normal work").required();
  line.option("--normal", options.normal, "TRACE", "recordings of normal work")
      .required()
      .several();
  line.option("--attack", options.attack, "TRACE", "recordings of attacks").required().several();
  line.option("--truth", options.truth, "FILE",
              "where the attacks are in them: each is judged by itself");
  line.option("--svg", options.svg, "FILE", "write the ROC curve as a picture");
  line.flag("--json", options.json, "print the result as JSON");
  line.flag("-q,--quiet", options.quiet, "no progress, no summary of losses");
}

Result<std::vector<analyze::TruthAttack>> truth_of(const EvalOptions& options) {
  if (!options.truth) return std::vector<analyze::TruthAttack>();
  auto text = read_file(*options.truth);
  if (!text) return std::move(text).error();
  return analyze::parse_truth(*text, escape_terminal(*options.truth));
}

Status write_picture(const std::string& path, const std::string& svg) {
  auto fd = open_for_writing(path);
  if (!fd) return std::move(fd).error();
  if (auto ok = write_full(fd->get(), std::as_bytes(std::span(svg))); !ok) {
    return Error(ok.error()).in(format("writing {}", escape_terminal(path)));
  }
  return {};
}

Status add_all(const EvalOptions& options, Evaluator& evaluator) {
  ProgressLine progress("iovm eval");
  auto show = [&](const std::string& path) {
    if (!options.quiet) progress.show("reading " + escape_terminal(path));
  };
  for (const std::string& path : options.normal) {
    show(path);
    if (auto ok = evaluator.add_normal(path); !ok) return ok;
  }
  for (const std::string& path : options.attack) {
    show(path);
    if (auto ok = evaluator.add_attack(path); !ok) return ok;
  }
  return evaluator.check_truth();
}

Result<ExitStatus> run_eval(CommandLine& line) {
  EvalOptions options;
  declare(line, options);
  if (auto end = line.parse()) return *end;
  if (options.svg == "-") return usage_error("--svg needs a file (standard output has the text)");
  auto data = model::read_model(options.model);
  if (!data) return std::move(data).error();
  auto truth = truth_of(options);
  if (!truth) return std::move(truth).error();
  Evaluator evaluator(*data, *std::move(truth));
  if (auto ok = add_all(options, evaluator); !ok) return Error(ok.error());
  analyze::Evaluation result = evaluator.result();
  if (!result.all.auc) {
    return evaluator.damage() ? *evaluator.damage()
                              : input_error(
                                    "there is no session of normal work and of an attack to "
                                    "tell apart (iovm info tells what a recording holds)");
  }
  auto ok = print_out(options.json ? render_json(result) : render_text(result));
  if (!ok) return Error(ok.error());
  if (options.svg) {
    if (auto written = write_picture(*options.svg, render_svg(result)); !written) {
      return Error(written.error());
    }
  }
  if (!options.quiet) {
    std::string totals = analyze::describe_totals(evaluator.events(), evaluator.lost()) + "\n";
    std::fwrite(totals.data(), 1, totals.size(), stderr);
  }
  if (evaluator.damage()) return *evaluator.damage();
  return ExitStatus::done;
}

}  // namespace

const Command kEval{"eval", "measure how well a model tells attacks from normal work", run_eval};

}  // namespace iovm::cli
