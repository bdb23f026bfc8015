// SPDX-License-Identifier: Apache-2.0
#include "cli/explainer.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <span>

#include "base/fd.h"
#include "base/format.h"
#include "base/text.h"
#include "detect/detector.h"
#include "detect/incidents.h"
#include "detect/render.h"
#include "detect/rule_files.h"
#include "detect/rule_watch.h"
#include "model/model_file.h"
#include "trace/file_head.h"
#include "trace/reader.h"

namespace iovm::cli {
namespace {

bool is_regular_file(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
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

}  // namespace

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

Status Explainer::detect_in(const std::string& path) {
  auto data = model::read_model(*options_.model);
  if (!data) return std::move(data).error();
  auto reader = trace::TraceReader::open(path);
  if (!reader) return std::move(reader).error();
  ReportSink sink(report_);
  auto rules = detect::load_rules({}, true);
  if (!rules) return std::move(rules).error();
  detect::Incidents incidents(sink);
  detect::Learned learned(*data);
  detect::Detector detector(learned, path, incidents);
  detect::RuleWatch rule_watch(*std::move(rules), path, true, incidents);
  if (data->options.scheme == model::Scheme::devices) detector.watch(rule_watch);
  if (options_.page) {
    auto overview = analyze::take_overview(**reader, filter_, detector);
    if (!overview) return std::move(overview).error();
    report_.overview = *std::move(overview);
  } else if (auto ran = detect::run(**reader, detector); !ran) {
    return ran;
  }
  report_.damage = (*reader)->damage();
  lend(*std::move(data));
  return {};
}

// Without a model there are the rules of known attacks to go by.
Status Explainer::match_in(const std::string& path) {
  auto reader = trace::TraceReader::open(path);
  if (!reader) return std::move(reader).error();
  auto rules = detect::load_rules({}, true);
  if (!rules) return std::move(rules).error();
  ReportSink sink(report_);
  detect::Incidents incidents(sink);
  detect::RuleRun run(*std::move(rules), path, incidents);
  return detect::run(**reader, run);
}

// What the report takes from the model: its sequences, and where its threshold is from.
void Explainer::lend(model::ModelData data) {
  analyze::add_nearest(data, report_);
  data.ngrams = {};
  data.sets = {};
  report_.model = *options_.model;
  report_.learned = analyze::ModelFacts{*options_.model, 0, std::move(data)};
}

// Of alerts that have their reasons already, only what the alerts do not have.
Status Explainer::read_alerts() {
  if (auto added = analyze::add_alerts_file(options_.path, report_); !added) return added;
  if (!options_.model) return {};
  auto data = model::read_model(*options_.model);
  if (!data) return std::move(data).error();
  lend(*std::move(data));
  return {};
}

// A pipe can be read once: what needs a second look says so.
Status Explainer::explain_trace() {
  bool again = is_regular_file(options_.path);
  if (options_.model) {
    if (auto found = detect_in(options_.path); !found) return found;
    if (!again) return {};
  } else if (again) {
    if (auto matched = match_in(options_.path); !matched) return matched;
  }
  auto facts = analyze::trace_facts(options_.path, filter_);
  if (!facts) return std::move(facts).error();
  report_.damage = facts->damage;
  report_.recording = *std::move(facts);
  return {};
}

// The recordings that alerts from a file name, where they are still there and the same.
Status Explainer::look_into_traces() {
  std::vector<std::string> paths;
  for (const analyze::ReportAlert& alert : report_.alerts) {
    bool known = std::ranges::find(paths, alert.trace) != paths.end();
    if (!known && is_regular_file(alert.trace)) paths.push_back(alert.trace);
  }
  for (const std::string& path : paths) {
    auto added = analyze::add_evidence(path, report_);
    if (!added && report_.recording) return added;
    if (!added) continue;  // the alerts stand by themselves
  }
  for (analyze::ReportAlert& alert : report_.alerts) {
    if (alert.evidence) continue;
    alert.no_evidence =
        options_.path == "-" && options_.model
            ? "the recording came through a pipe and is gone"
            : format("the recording \"{}\" is not here, or is another one by now", alert.trace);
  }
  return {};
}

// What a page shows beside the alerts. Alerts of one recording that is at hand get its picture,
// too; those of several stand by themselves.
Status Explainer::look_around() {
  if (report_.overview) return {};
  std::string path = options_.path;
  if (!report_.recording) {
    if (report_.alerts.empty() || !report_.alerts.front().evidence) return {};
    path = report_.alerts.front().trace;
    bool one = std::ranges::all_of(report_.alerts,
                                   [&path](const auto& alert) { return alert.trace == path; });
    if (!one) return {};
    auto facts = analyze::trace_facts(path, filter_);
    if (!facts) return std::move(facts).error();
    report_.damage = facts->damage;
    report_.recording = *std::move(facts);
  }
  if (!is_regular_file(path)) return {};
  auto reader = trace::TraceReader::open(path);
  if (!reader) return std::move(reader).error();
  auto overview = analyze::take_overview(**reader, filter_);
  if (!overview) return std::move(overview).error();
  report_.overview = *std::move(overview);
  return {};
}

Status Explainer::name_files(bool alerts) {
  std::vector<std::pair<std::string, std::string>> files;
  if (options_.path != "-") files.emplace_back(alerts ? "alerts" : "trace", options_.path);
  if (alerts && report_.recording) files.emplace_back("trace", report_.recording->path);
  if (report_.model) files.emplace_back("model", *report_.model);
  for (const auto& [role, path] : files) {
    if (!is_regular_file(path)) continue;
    if (auto added = analyze::add_file(role, path, report_); !added) return added;
  }
  report_.options = {options_.path};
  auto word = [this](std::string_view name, const std::optional<std::string>& value) {
    if (!value) return;
    report_.options.insert(report_.options.end(), {std::string(name), *value});
    if (!name.starts_with("--") || name == "--html") return;
    report_.focus += format("{}{} {}", report_.focus.empty() ? "" : ", ", name.substr(2), *value);
  };
  word("-m", options_.model);
  word("--alert", options_.alert);
  word("--from", options_.which.from);
  word("--to", options_.which.to);
  word("--process", options_.which.process);
  word("--device", options_.which.device);
  word("--html", options_.page);
  return {};
}

Status Explainer::keep_only(const std::string& id) {
  std::size_t all = report_.alerts.size();
  std::string some;
  for (std::size_t i = 0; i < std::min<std::size_t>(all, 3); ++i) {
    some += (i == 0 ? "" : ", ") + escape_terminal(report_.alerts[i].id);
  }
  std::erase_if(report_.alerts, [&id](const analyze::ReportAlert& a) { return a.id != id; });
  if (!report_.alerts.empty()) return {};
  return usage_error(format("there is no alert \"{}\"; {} alerts are there{}{}",
                            escape_terminal(id), all, all == 0 ? "" : ": ", some));
}

Status Explainer::gather(bool alerts) {
  Status gathered = alerts ? read_alerts() : explain_trace();
  if (!gathered) return gathered;
  if (options_.alert) {
    if (auto kept = keep_only(*options_.alert); !kept) return kept;
  }
  if (auto looked = look_into_traces(); !looked) return looked;
  if (auto kept = analyze::keep_matching(filter_, report_); !kept) return kept;
  if (!options_.page) return {};
  if (auto looked = look_around(); !looked) return looked;
  return name_files(alerts);
}

std::string Explainer::told() const {
  if (options_.page) return analyze::render_html(report_);
  if (!options_.json) return analyze::render_text(report_);
  return analyze::render_json(report_);
}

}  // namespace iovm::cli
