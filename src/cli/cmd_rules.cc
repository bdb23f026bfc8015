// SPDX-License-Identifier: Apache-2.0
//
// iovm rules: checks, tests and lists rules of known attacks. A rule's tests are recordings as
// events text beside its file: tests/ID.hit*.events, which it must hit, and tests/ID.miss*.events,
// which no rule of the file may hit.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "analyze/events_text.h"
#include "base/format.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/say.h"
#include "cli/stdout.h"
#include "detect/rule_files.h"
#include "detect/rule_watch.h"
#include "model/device_table.h"

namespace iovm::cli {
namespace {

namespace fs = std::filesystem;
using detect::Rule;
using detect::RuleSet;

struct RulesOptions {
  std::string action;
  std::vector<std::string> paths;
  bool json = false;
};

constexpr Say say{"iovm rules"};

Result<std::vector<std::string>> files_of(const std::vector<std::string>& paths) {
  std::vector<std::string> out;
  for (const std::string& path : paths) {
    auto files = detect::rule_files(path);
    if (!files) return std::move(files).error();
    out.insert(out.end(), files->begin(), files->end());
  }
  return out;
}

// Every fault of every file, one a line; then whether they go together.
Status check(const RulesOptions& options) {
  auto files = files_of(options.paths);
  if (!files) return std::move(files).error();
  Stdout out;
  std::size_t faults = 0, rules = 0;
  for (const std::string& file : *files) {
    auto parsed = detect::read_rules(file);
    if (!parsed) return std::move(parsed).error();
    for (const detect::RuleFault& fault : parsed->faults) {
      out.text() += describe(file, fault) + "\n";
    }
    faults += parsed->faults.size();
    rules += parsed->rules.size();
  }
  if (auto ok = out.flush(); !ok) return ok;
  if (faults > 0) {
    return input_error(
        format("{} in {}", counted(faults, "fault"), counted(files->size(), "file")));
  }
  if (auto together = detect::load_rules(*files, false); !together) {
    return std::move(together).error();
  }
  say(format("{} rules, no faults", rules));
  return {};
}

// The ids of the rules that hit.
class Hits : public detect::AlertSink {
 public:
  Status closed(const detect::Alert& alert) override {
    ids.push_back(alert.rule->id);
    return {};
  }
  std::vector<std::string> ids;
};

Result<std::vector<std::string>> hits_in(const std::string& path,
                                         const std::shared_ptr<const RuleSet>& rules) {
  auto source = analyze::EventsTextSource::open(path);
  if (!source) return std::move(source).error();
  Hits hits;
  detect::RuleRun run(rules, path, hits);
  if (auto ok = detect::run(**source, run); !ok) {
    return Error(ok.error()).in(escape_terminal(path));
  }
  std::ranges::sort(hits.ids);
  hits.ids.erase(std::unique(hits.ids.begin(), hits.ids.end()), hits.ids.end());
  return std::move(hits.ids);
}

// How many of a rule's steps a recording has that does not hit it: of rules that are its first
// steps alone, the longest that does.
Result<std::size_t> steps_in(const std::string& path, const Rule& rule, const RuleSet& rules) {
  for (std::size_t steps = rule.steps.size() - 1; steps > 0; --steps) {
    auto part = std::make_shared<RuleSet>();
    part->attack_version = rules.attack_version;
    part->rules = {rule};
    part->rules[0].steps.resize(steps);
    auto ids = hits_in(path, part);
    if (!ids) return std::move(ids).error();
    if (!ids->empty()) return steps;
  }
  return std::size_t{0};
}

// tests/ID.KIND*.events beside the file.
std::vector<std::string> tests_of(const std::string& file, const Rule& rule,
                                  const std::string& kind) {
  std::vector<std::string> out;
  std::error_code error;
  std::string begin = rule.id + "." + kind;
  for (fs::directory_iterator it(fs::path(file).parent_path() / "tests", error), end;
       !error && it != end; it.increment(error)) {
    std::string name = it->path().filename().string();
    if (name.starts_with(begin) && name.ends_with(".events")) out.push_back(it->path().string());
  }
  std::ranges::sort(out);
  return out;
}

class Tester {
 public:
  Status file(const std::string& path) {
    auto rules = detect::load_rules({path}, false);
    if (!rules) return std::move(rules).error();
    for (const Rule& rule : (*rules)->rules) {
      for (bool hit : {true, false}) {
        if (auto ok = test(path, rule, hit, *rules); !ok) return ok;
      }
    }
    rules_ += (*rules)->rules.size();
    return out_.flush();
  }
  Status finish() {
    if (failures_ > 0) {
      return input_error(format("{} of {} tests failed", failures_, tests_));
    }
    say(format("{} rules, {} tests passed", rules_, tests_));
    return {};
  }

 private:
  Status test(const std::string& file, const Rule& rule, bool hit,
              const std::shared_ptr<const RuleSet>& rules) {
    std::vector<std::string> tests = tests_of(file, rule, hit ? "hit" : "miss");
    if (tests.empty()) {
      ++tests_;
      fail(rule,
           format("no test tests/{}.{}.events beside its file", rule.id, hit ? "hit" : "miss"));
    }
    for (const std::string& path : tests) {
      auto ids = hits_in(path, rules);
      if (!ids) return std::move(ids).error();
      ++tests_;
      bool has = std::ranges::find(*ids, rule.id) != ids->end();
      if (hit && !has) {
        auto done = steps_in(path, rule, *rules);
        if (!done) return std::move(done).error();
        fail(rule, format("{} is not hit: step {} of {} is not done", escape_terminal(path),
                          *done + 1, rule.steps.size()));
      }
      if (!hit && !ids->empty()) fail(rule, escape_terminal(path) + " is hit by " + ids->front());
    }
    return {};
  }
  void fail(const Rule& rule, const std::string& what) {
    ++failures_;
    out_.text() += format("{}: {}\n", rule.id, what);
  }

  Stdout out_;
  std::size_t rules_ = 0;
  std::size_t tests_ = 0;
  std::size_t failures_ = 0;
};

Status test(const RulesOptions& options) {
  auto files = files_of(options.paths);
  if (!files) return std::move(files).error();
  Tester tester;
  for (const std::string& file : *files) {
    if (auto ok = tester.file(file); !ok) return ok;
  }
  return tester.finish();
}

std::string row(const Rule& rule) {
  std::string references;
  for (const std::string& reference : rule.references) {
    if (reference.starts_with("CVE-")) references += " " + reference;
  }
  return format("{:<28} {:<8} {:<9} {}{}\n", rule.id, name_of(rule.severity), rule.technique.id,
                escape_terminal(rule.title),
                references.empty() ? "" : " (" + escape_terminal(references.substr(1)) + ")");
}

std::string json_row(const Rule& rule, const std::string& version) {
  JsonWriter json;
  json.begin_object().member("id", rule.id).member("name", rule.title);
  json.member("severity", name_of(rule.severity));
  json.key("technique").begin_object().member("id", rule.technique.id);
  json.member("name", rule.technique.name).member("version", version).end_object();
  json.key("reference").begin_array();
  for (const std::string& reference : rule.references) json.value(reference);
  json.end_array().member("description", rule.about).member("per", name_of(rule.per));
  json.member("unless_model", rule.unless_model).member("inline", rule.stops);
  json.member("file", rule.file).member("line", rule.line).end_object();
  return json.take() + "\n";
}

Status list(const RulesOptions& options) {
  auto rules = detect::load_rules(options.paths, options.paths.empty());
  if (!rules) return std::move(rules).error();
  Stdout out;
  for (const Rule& rule : (*rules)->rules) {
    out.text() += options.json ? json_row(rule, (*rules)->attack_version) : row(rule);
  }
  return out.flush();
}

// What rules can name: the devices of the tables, or the registers of some.
Status devices(const RulesOptions& options) {
  Stdout out;
  const auto& rows = model::DeviceTable::built_in().devices();
  for (const std::string& key : options.paths) {
    bool known = std::ranges::any_of(
        rows, [&](const model::DeviceRow& row) { return model::device_key(row.type) == key; });
    if (known) continue;
    return usage_error(
        format("no device is \"{}\" (iovm rules devices lists them)", escape_terminal(key)));
  }
  for (const model::DeviceRow& row : rows) {
    std::string key = model::device_key(row.type);
    if (!options.paths.empty() && std::ranges::count(options.paths, key) == 0) continue;
    out.text() += format("{:<12} {}\n", key, row.name);
    if (options.paths.empty()) continue;
    for (const model::RegisterRow& r : row.registers) {
      std::string where = format("{} 0x{:x}", name_of(r.space), r.first);
      if (r.last != r.first) where += format("-0x{:x}", r.last);
      if (r.behind_index) where += format(" index 0x{:x}-0x{:x}", r.first_index, r.last_index);
      out.text() += format("  {:<36} \"{}\"\n", where, r.name);
    }
  }
  return out.flush();
}

Result<ExitStatus> run_rules(CommandLine& line) {
  RulesOptions options;
  line.positional(
      "check|test|list|devices", options.action,
      "check: tell the faults of rule files; test: run the tests beside them; list: "
      "the rules, the built-in ones unless FILE is given; devices: what rules can name");
  line.positional("FILE|DIR|DEVICE", options.paths,
                  "rule files or directories of *.rules; with devices: show its registers")
      .optional();
  line.flag("--json", options.json, "with list: one rule a line, as JSON");
  if (auto end = line.parse()) return *end;
  Status done;
  if (options.action == "list") {
    done = list(options);
  } else if (options.action == "devices") {
    done = devices(options);
  } else if (options.action != "check" && options.action != "test") {
    return usage_error(format("\"{}\": check, test, list or devices (see iovm rules --help)",
                              escape_terminal(options.action)));
  } else if (options.paths.empty()) {
    return usage_error(format("{} needs a FILE or DIR", options.action));
  } else {
    done = options.action == "check" ? check(options) : test(options);
  }
  if (!done) return Error(done.error());
  return ExitStatus::done;
}

}  // namespace

const Command kRules{"rules", "check, test and list rules of known attacks", run_rules};

}  // namespace iovm::cli
