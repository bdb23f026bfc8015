// SPDX-License-Identifier: Apache-2.0
#include "analyze/attack_watch.h"

#include <algorithm>
#include <map>

#include "model/actor.h"

namespace iovm::analyze {

AttackWatch::AttackWatch(std::vector<TruthAttack> attacks) {
  for (TruthAttack& truth : attacks) {
    AttackOutcome outcome;
    outcome.trace = truth.trace;
    outcome.name = truth.name;
    attacks_.push_back({std::move(truth), {}, 0, std::move(outcome), 0});
  }
}

model::DeviceType AttackWatch::type_of(const detect::Scored& seen) const {
  return tokenizer_->devices()[seen.token.device].type;
}

bool AttackWatch::is_of(const TruthAttack& truth, const detect::Scored& seen) const {
  if (seen.number < truth.first || seen.number > truth.last) return false;
  if (truth.cr3 &&
      (!seen.event.has(trace::Field::cr3) || model::address_space(seen.event.cr3) != *truth.cr3)) {
    return false;
  }
  if (truth.code && (!seen.event.has(trace::Field::rip) || seen.event.rip < truth.code->first ||
                     seen.event.rip > truth.code->second)) {
    return false;
  }
  if (truth.user && (model::is_unknown(seen.token.symbol) ||
                     !tokenizer_->alphabet().operation(seen.token.symbol).has(model::Mark::user))) {
    return false;
  }
  return !truth.device || *truth.device == model::device_key(type_of(seen));
}

void AttackWatch::scored(const detect::Scored& seen) {
  for (Watched& attack : attacks_) {
    if (!is_of(attack.truth, seen)) continue;
    if (attack.accesses.empty()) attack.first_time = seen.event.time;
    attack.accesses.push_back({seen.number, type_of(seen)});
    if (streams_.size() <= seen.stream) streams_.resize(seen.stream + std::size_t{1});
    streams_[seen.stream] = true;
  }
}

bool AttackWatch::holds(const detect::Alert& alert, const Watched& attack) {
  auto first = std::ranges::lower_bound(attack.accesses, alert.first_event, {}, &Access::number);
  return std::any_of(first, attack.accesses.end(), [&](const Access& access) {
    return access.number <= alert.last_event &&
           (!alert.stream.device || alert.stream.device->type == access.device);
  });
}

void AttackWatch::count(const detect::Alert& alert, Watched& attack) {
  AttackOutcome& outcome = attack.outcome;
  if (outcome.alerts++ > 0 && attack.alarm <= alert.alarm_event) return;
  attack.alarm = alert.alarm_event;
  auto after = std::ranges::upper_bound(attack.accesses, attack.alarm, {}, &Access::number);
  outcome.to_alarm = static_cast<std::uint64_t>(after - attack.accesses.begin());
  outcome.seconds = alert.alarm_time <= attack.first_time
                        ? 0
                        : static_cast<double>(alert.alarm_time - attack.first_time) / 1e9;
}

Status AttackWatch::closed(const detect::Alert& alert) {
  bool held = false, spaced = false, named = false;
  for (Watched& attack : attacks_) {
    if (!holds(alert, attack)) continue;
    held = true;
    count(alert, attack);
    if (!attack.truth.cr3 || alert.spaces.empty()) continue;
    spaced = true;
    named = named || model::address_space(alert.spaces.front().cr3) == *attack.truth.cr3;
  }
  tally_.attack += held ? 1 : 0;
  tally_.none += held ? 0 : 1;
  tally_.spaced += spaced ? 1 : 0;
  tally_.named += named ? 1 : 0;
  return {};
}

std::vector<AttackOutcome> AttackWatch::outcomes() const {
  std::vector<AttackOutcome> out;
  for (const Watched& attack : attacks_) {
    AttackOutcome outcome = attack.outcome;
    outcome.accesses = attack.accesses.size();
    std::map<std::string, std::uint64_t> devices;
    for (const Access& access : attack.accesses) {
      ++devices[model::device_key(access.device)];
    }
    auto most = std::ranges::max_element(devices, {}, [](const auto& row) { return row.second; });
    if (most != devices.end()) outcome.device = most->first;
    out.push_back(std::move(outcome));
  }
  return out;
}

}  // namespace iovm::analyze
