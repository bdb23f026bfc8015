// SPDX-License-Identifier: Apache-2.0
//
// iovm bundle: a case in one file that another machine can verify. What goes in is looked at before
// it does: a bundle of the wrong files is no evidence.

#include "analyze/case_archive.h"
#include "analyze/report.h"
#include "base/clock.h"
#include "base/format.h"
#include "base/text.h"
#include "base/version.h"
#include "cli/commands.h"
#include "cli/say.h"
#include "cli/trace_copy.h"
#include "model/model_file.h"
#include "trace/reader.h"
#include "trace/verify.h"

namespace iovm::cli {
namespace {

struct BundleOptions {
  std::string trace;
  std::string output;
  std::optional<std::string> model;
  std::optional<std::string> alerts;
  std::optional<std::string> report;
};

constexpr Say say{"iovm bundle"};

std::vector<analyze::CaseFile> files_of(const BundleOptions& options) {
  std::vector<analyze::CaseFile> files = {{"trace.iovm", options.trace}};
  if (options.model) files.push_back({"model.iovmm", *options.model});
  if (options.alerts) files.push_back({"alerts.jsonl", *options.alerts});
  if (options.report) files.push_back({"report.html", *options.report});
  return files;
}

// What the trace says of itself, and its chain.
Status look_at_trace(const BundleOptions& options, analyze::CaseManifest& manifest) {
  auto summary = trace::summarize(options.trace, true);
  if (!summary) return std::move(summary).error();
  manifest.events = summary->events;
  manifest.lost = summary->lost.all();
  auto reader = trace::TraceReader::open(options.trace);
  if (!reader) return std::move(reader).error();
  auto first = (*reader)->next();
  if (!first) return std::move(first).error();
  manifest.trace_id = trace::id_text((*reader)->context().info.id);
  auto proof = trace::verify_trace(options.trace);
  if (!proof) return std::move(proof).error();
  if (proof->chained) manifest.chain = hex_text(proof->link);
  if (!proof->whole()) {
    say(format("{}: {}; it is bundled as it is (see iovm verify)", escape_terminal(options.trace),
               proof->chained ? "is not as it was written" : "has no hash chain"));
  }
  return {};
}

// Alerts of other traces are no evidence about this one.
Status look_at_alerts(const BundleOptions& options, const analyze::CaseManifest& manifest) {
  if (!options.alerts) return {};
  analyze::Report report;
  if (auto read = analyze::add_alerts_file(*options.alerts, report); !read) return read;
  for (const analyze::ReportAlert& alert : report.alerts) {
    if (alert.trace_id == manifest.trace_id) continue;
    return input_error(format("{}: the alert {} is not of {}", escape_terminal(*options.alerts),
                              escape_terminal(alert.id), escape_terminal(options.trace)));
  }
  return {};
}

Status look_at_model(const BundleOptions& options) {
  if (!options.model) return {};
  auto model = model::read_model(*options.model);
  return model ? Status() : Status(std::move(model).error());
}

Status check(const BundleOptions& options) {
  std::vector<std::string> inputs;
  for (const analyze::CaseFile& file : files_of(options)) {
    if (file.path == "-")
      return usage_error("the files of a case are read more than once: no standard input");
    inputs.push_back(file.path);
  }
  return check_output(options.output, inputs);
}

Result<ExitStatus> run_bundle(CommandLine& line) {
  BundleOptions options;
  line.positional("TRACE", options.trace, "the trace that the case is about");
  line.option("-o,--output", options.output, "CASE", "CASE.tar or CASE.tar.zst, or -").required();
  line.option("-m,--model", options.model, "MODEL", "the model that the alerts are of");
  line.option("--alerts", options.alerts, "FILE", "what iovm detect --json printed");
  line.option("--report", options.report, "FILE", "what iovm explain --html wrote");
  if (auto end = line.parse()) return *end;
  if (auto checked = check(options); !checked) return std::move(checked).error();

  analyze::CaseManifest manifest;
  manifest.tool = format("iovm {}", kVersion);
  manifest.created = utc_text(static_cast<std::int64_t>(monotonic_ns()) + utc_offset_ns());
  for (Status looked : {look_at_trace(options, manifest), look_at_model(options)}) {
    if (!looked) return std::move(looked).error();
  }
  if (auto looked = look_at_alerts(options, manifest); !looked) return std::move(looked).error();
  std::vector<analyze::CaseFile> files = files_of(options);
  auto members = analyze::describe_files(files);
  if (!members) return std::move(members).error();
  manifest.members = *std::move(members);
  auto digest = analyze::write_case(options.output, manifest, files);
  if (!digest) return std::move(digest).error();
  say(format("case {} ({} files, {} events, {} lost)", hex_text(*digest), files.size(),
             manifest.events, manifest.lost));
  return ExitStatus::done;
}

}  // namespace

const Command kBundle{"bundle", "put a trace and what was found in it into one file", run_bundle};

}  // namespace iovm::cli
