// SPDX-License-Identifier: Apache-2.0
#include "cli/vetting.h"

#include "base/format.h"
#include "base/text.h"
#include "detect/rule_files.h"
#include "model/model_file.h"

namespace iovm::cli {

Result<Judges> Judges::read(const std::vector<std::string>& models) {
  Judges judges;
  auto rules = detect::load_rules({}, true);
  if (!rules) return std::move(rules).error();
  judges.rules_ = std::move(*rules);
  for (const std::string& path : models) {
    auto data = model::read_model(path);
    if (!data) return std::move(data).error();
    judges.models_.push_back(std::make_unique<const Judge>(path, *std::move(data)));
  }
  return judges;
}

Status Vetting::Attacks::closed(const detect::Alert& alert) {
  if (!alert.rule || alert.rule->severity < detect::Severity::high) return {};
  if (count == 0) first = alert.rule->title;
  ++count;
  return {};
}

Vetting::Vetting(trace::EventSource& source, const std::string& name, const Judges& judges,
                 bool machine)
    : source_(source), judges_(judges) {
  if (machine) rules_.emplace(judges.rules_, name, attacks_, true);
  for (const auto& judge : judges.models_) {
    detectors_.push_back(std::make_unique<detect::Detector>(judge->learned, name, nobody_));
  }
}

Result<std::span<const trace::Event>> Vetting::next() {
  auto batch = source_.next();
  if (!batch) return batch;
  if (auto ok = look(*batch); !ok) return Error(ok.error());
  return batch;
}

Status Vetting::look(std::span<const trace::Event> batch) {
  const trace::Context& context = source_.context();
  auto show = [&](auto& watcher) {
    return batch.empty() ? watcher.finish(context) : watcher.feed(context, batch);
  };
  if (rules_) {
    if (auto ok = show(*rules_); !ok) return ok;
  }
  for (const auto& detector : detectors_) {
    if (auto ok = show(*detector); !ok) return ok;
  }
  return {};
}

std::optional<std::string> Vetting::objection() const {
  if (attacks_.count == 1) return format("a known attack is in it ({})", attacks_.first);
  if (attacks_.count > 1) {
    return format("{} known attacks are in it (the first: {})", attacks_.count, attacks_.first);
  }
  for (std::size_t i = 0; i < detectors_.size(); ++i) {
    std::uint64_t alerts = detectors_[i]->stats().alerts;
    if (alerts == 0) continue;
    return format("{} by {}", counted(alerts, "alert"), escape_terminal(judges_.models_[i]->path));
  }
  return {};
}

}  // namespace iovm::cli
