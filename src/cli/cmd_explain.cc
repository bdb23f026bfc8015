// SPDX-License-Identifier: Apache-2.0
//
// iovm explain: what was abnormal and why, as text, JSON or a page; or what changed between two
// recordings.
#include <span>

#include "analyze/compare.h"
#include "base/fd.h"
#include "base/format.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/damage.h"
#include "cli/explainer.h"
#include "cli/stdout.h"

namespace iovm::cli {
namespace {

Status write_page(const std::string& path, const std::string& page) {
  auto fd = open_for_writing(path);
  if (!fd) return std::move(fd).error();
  auto written = write_full(fd->get(), std::as_bytes(std::span(page)));
  if (!written) return Error(written.error()).in(format("writing {}", escape_terminal(path)));
  return {};
}

Result<ExitStatus> tell_changes(const ExplainOptions& options, const analyze::EventFilter& filter) {
  if (options.model || options.alert || options.page)
    return usage_error(
        "--compare needs no model and tells no alerts; leave out -m, --alert, --html");
  auto comparison = analyze::compare(*options.before, options.path, filter);
  if (!comparison) return std::move(comparison).error();
  auto written = print_out(options.json ? analyze::render_json(*comparison)
                                        : analyze::render_text(*comparison));
  if (!written) return std::move(written).error();
  return ExitStatus::done;
}

Result<ExitStatus> run_explain(CommandLine& line) {
  ExplainOptions options;
  line.positional("FILE", options.path, "a trace, or alerts from iovm detect --json; or -");
  line.option("-m,--model", options.model, "MODEL", "what is normal; needed for a trace's alerts");
  line.option("--alert", options.alert, "ID", "this alert only");
  declare(line, options.which);
  line.flag("--json", options.json, "print JSON");
  line.option("--html", options.page, "FILE", "write it as a page that stands by itself");
  line.option("--compare", options.before, "BEFORE",
              "tell what changed since this recording of the same machine");
  if (auto end = line.parse()) return *end;
  if (options.json && options.page) return usage_error("--json and --html: take one of them");
  auto filter = event_filter(options.which);
  if (!filter) return std::move(filter).error();
  if (options.before) return tell_changes(options, *filter);
  auto alerts = is_alerts(options);
  if (!alerts) return std::move(alerts).error();

  Explainer explainer(options, *std::move(filter));
  if (auto gathered = explainer.gather(*alerts); !gathered) return std::move(gathered).error();
  Stdout out;
  std::string told = explainer.told();
  if (options.page && *options.page != "-") {
    if (auto written = write_page(*options.page, told); !written) return std::move(written).error();
  } else {
    out.text() = std::move(told);
    if (auto written = out.flush(); !written) return std::move(written).error();
  }
  auto damage = damage_error(options.path, explainer.report().damage, "the rest is told");
  if (damage) return std::move(*damage);
  return ExitStatus::done;
}

}  // namespace

const Command kExplain{"explain",
                       "tell why: the abnormal steps, who did them, what normal would have been",
                       run_explain};

}  // namespace iovm::cli
