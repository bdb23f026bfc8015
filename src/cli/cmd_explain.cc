// SPDX-License-Identifier: Apache-2.0
//
// iovm explain: gathers the alerts, either from a detector that runs over the trace here or from
// the lines that iovm detect --json printed, adds the raw events and tells it all.
#include <sys/stat.h>

#include <algorithm>
#include <array>

#include <span>

#include "analyze/report.h"
#include "base/fd.h"
#include "base/format.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/damage.h"
#include "cli/stdout.h"
#include "detect/detector.h"
#include "detect/render.h"
#include "model/model_file.h"
#include "trace/file_head.h"
#include "trace/reader.h"

namespace iovm::cli {
namespace {

struct ExplainOptions {
  std::string path;
  std::optional<std::string> model;
  std::optional<std::string> alert;
  bool json = false;
};

bool is_regular_file(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

// Text is alerts; everything else is taken for a trace, whose reader says what it is instead.
Result<bool> is_alerts(const ExplainOptions& options) {
  if (options.path == "-") return !options.model;
  auto fd = open_for_reading(options.path);
  if (!fd) return std::move(fd).error();
  if (!is_regular_file(options.path)) return !options.model;
  std::array<std::byte, 64> first{};
  auto got = read_full(fd->get(), first);
  if (!got) return std::move(got).error().in(escape_terminal(options.path));
  return trace::describe_content(std::span(first).first(*got)) == "a text file";
}

class ReportSink : public detect::AlertSink {
 public:
  explicit ReportSink(analyze::Report& report) : report_(report) {}
  Status closed(const detect::Alert& alert) override {
    return analyze::add_alert(detect::alert_json(alert), report_);
  }

 private:
  analyze::Report& report_;
};

Status detect_in(const ExplainOptions& options, analyze::Report& report) {
  auto data = model::read_model(*options.model);
  if (!data) return std::move(data).error();
  model::Model model = data->model();
  auto reader = trace::TraceReader::open(options.path);
  if (!reader) return std::move(reader).error();
  ReportSink sink(report);
  detect::Detector detector(*data, model, options.path, sink);
  report.model = *options.model;
  if (auto ran = detect::run(**reader, detector); !ran) return ran;
  report.damage = (*reader)->damage();
  return {};
}

// A pipe can be read once: what needs a second look says so.
Status explain_trace(const ExplainOptions& options, analyze::Report& report) {
  bool again = is_regular_file(options.path);
  if (options.model) {
    if (auto found = detect_in(options, report); !found) return found;
    if (!again) return {};
  }
  auto facts = analyze::trace_facts(options.path);
  if (!facts) return std::move(facts).error();
  report.damage = facts->damage;
  report.recording = *std::move(facts);
  return {};
}

// The recordings that alerts from a file name, where they are still there and the same.
Status look_into_traces(const ExplainOptions& options, analyze::Report& report) {
  std::vector<std::string> paths;
  for (const analyze::ReportAlert& alert : report.alerts) {
    bool known = std::ranges::find(paths, alert.trace) != paths.end();
    if (!known && is_regular_file(alert.trace)) paths.push_back(alert.trace);
  }
  for (const std::string& path : paths) {
    auto added = analyze::add_evidence(path, report);
    if (!added && report.recording) return added;
    if (!added) continue;  // the alerts stand by themselves
  }
  for (analyze::ReportAlert& alert : report.alerts) {
    if (alert.evidence) continue;
    alert.no_evidence =
        options.path == "-" && options.model
            ? "the recording came through a pipe and is gone"
            : format("the recording \"{}\" is not here, or is another one by now", alert.trace);
  }
  return {};
}

Status keep_only(const std::string& id, analyze::Report& report) {
  std::size_t all = report.alerts.size();
  std::string some;
  for (std::size_t i = 0; i < std::min<std::size_t>(all, 3); ++i) {
    some += (i == 0 ? "" : ", ") + escape_terminal(report.alerts[i].id);
  }
  std::erase_if(report.alerts, [&id](const analyze::ReportAlert& a) { return a.id != id; });
  if (!report.alerts.empty()) return {};
  return usage_error(format("there is no alert \"{}\"; {} alerts are there{}{}",
                            escape_terminal(id), all, all == 0 ? "" : ": ", some));
}

Result<ExitStatus> run_explain(CommandLine& line) {
  ExplainOptions options;
  line.positional("FILE", options.path, "a trace, or alerts from iovm detect --json; or -");
  line.option("-m,--model", options.model, "MODEL", "what is normal; needed for a trace's alerts");
  line.option("--alert", options.alert, "ID", "this alert only");
  line.flag("--json", options.json, "print JSON");
  if (auto end = line.parse()) return *end;

  analyze::Report report;
  report.path = options.path;
  auto alerts = is_alerts(options);
  if (!alerts) return std::move(alerts).error();
  Status gathered =
      *alerts ? analyze::add_alerts_file(options.path, report) : explain_trace(options, report);
  if (!gathered) return std::move(gathered).error();
  if (options.alert) {
    if (auto kept = keep_only(*options.alert, report); !kept) return std::move(kept).error();
  }
  if (auto looked = look_into_traces(options, report); !looked) return std::move(looked).error();

  bool facts_only = !report.model && report.recording;
  Stdout out;
  out.text() = !options.json ? analyze::render_text(report)
               : facts_only  ? analyze::render_json(*report.recording)
                             : analyze::render_json(report);
  if (auto written = out.flush(); !written) return std::move(written).error();
  auto damage = damage_error(options.path, report.damage, "the rest is told");
  if (damage) return std::move(*damage);
  return ExitStatus::done;
}

}  // namespace

const Command kExplain{"explain",
                       "tell why: the abnormal steps, who did them, what normal would have been",
                       run_explain};

}  // namespace iovm::cli
