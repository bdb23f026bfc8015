// SPDX-License-Identifier: Apache-2.0
#include "record/doctor_text.h"

#include <algorithm>

#include "base/format.h"
#include "base/json.h"
#include "base/text.h"

namespace iovm::record {
namespace {

std::string check_lines(const Check& check) {
  std::string text =
      format("  {:<8} {:<16} {}\n", name_of(check.state), check.name, escape_terminal(check.found));
  if (!check.mend.empty())
    text += format("  {:<8} {:<16} -> {}\n", "", "", escape_terminal(check.mend));
  return text;
}

// A source whose own checks are all well still does not work on a host without KVM.
std::string verdict_text(const Diagnosis& diagnosis, const SourceVerdict& verdict) {
  if (verdict.works) return "works";
  bool own = std::any_of(diagnosis.checks.begin(), diagnosis.checks.end(), [&](const Check& check) {
    return check.source == verdict.source && check.state == CheckState::missing;
  });
  return own ? "does not work" : "does not work, for what this host lacks";
}

std::string block(const Diagnosis& diagnosis, std::string_view source, std::string_view title) {
  std::string text;
  for (const Check& check : diagnosis.checks) {
    if (check.source == source) text += check_lines(check);
  }
  return text.empty() ? text : format("{}\n{}", title, text);
}

}  // namespace

std::string render_text(const Diagnosis& diagnosis) {
  std::string text = block(diagnosis, "host", "this host");
  for (const SourceVerdict& verdict : diagnosis.sources) {
    text += block(diagnosis, verdict.source,
                  format("source {}: {}", verdict.source, verdict_text(diagnosis, verdict)));
  }
  text += block(diagnosis, "vm", "this VM");
  if (!diagnosis.guest) return text;
  std::string title = format("its guest's processes: {} (in {:.2f} s)",
                             diagnosis.guest->named ? "can be named" : "cannot be named",
                             std::chrono::duration<double>(diagnosis.guest->took).count());
  return text + block(diagnosis, "guest", title);
}

std::string render_json(const Diagnosis& diagnosis) {
  JsonWriter json;
  json.begin_object().member("works", diagnosis.works()).key("sources").begin_array();
  for (const SourceVerdict& verdict : diagnosis.sources) {
    json.begin_object()
        .member("source", verdict.source)
        .member("works", verdict.works)
        .end_object();
  }
  json.end_array();
  if (diagnosis.guest) {
    auto took = std::chrono::duration_cast<std::chrono::milliseconds>(diagnosis.guest->took);
    json.key("guest").begin_object().member("processes", diagnosis.guest->named);
    json.member("summary", diagnosis.guest->summary).member("took_ms", took.count()).end_object();
  }
  json.key("checks").begin_array();
  for (const Check& check : diagnosis.checks) {
    json.begin_object().member("source", check.source).member("name", check.name);
    json.member("state", name_of(check.state)).member("found", check.found);
    json.member("mend", check.mend).end_object();
  }
  json.end_array().end_object();
  return json.take() + "\n";
}

}  // namespace iovm::record
