// SPDX-License-Identifier: Apache-2.0
#include "analyze/evaluation.h"

#include <algorithm>
#include <cmath>

namespace iovm::analyze {
namespace {

constexpr double kZ = 1.959964;  // 95 %

// Calls visit(normals, attacks) for each score there is, from the highest down.
template <typename F>
void each_score(const std::vector<ScoredSession>& sorted, F&& visit) {
  for (std::size_t i = 0; i < sorted.size();) {
    std::uint64_t normal = 0, attack = 0;
    double score = sorted[i].score;
    for (; i < sorted.size() && sorted[i].score == score; ++i) {
      (sorted[i].attack ? attack : normal) += 1;
    }
    visit(normal, attack);
  }
}

void sort_down(std::vector<ScoredSession>& sessions) {
  std::ranges::stable_sort(sessions, std::greater<>(), &ScoredSession::score);
}

// The variance of an AUC by Hanley and McNeil's formula, with group sizes evened out as Newcombe
// proposes.
double auc_variance(double auc, double normal, double attack) {
  double n = (normal + attack) / 2 - 1;
  double rest = 1 - auc;
  return auc * rest * (1 + n * rest / (2 - auc) + n * auc / (1 + auc)) / (normal * attack);
}

std::vector<RocPoint> curve(const std::vector<ScoredSession>& sorted, const Separation& all) {
  std::vector<RocPoint> out{{0, 0}};
  std::uint64_t normals = 0, attacks = 0;
  bool straight = false;  // the last point goes on in the same direction, along an axis
  int last = 0;
  each_score(sorted, [&](std::uint64_t normal, std::uint64_t attack) {
    normals += normal;
    attacks += attack;
    int direction = attack == 0 ? 1 : normal == 0 ? 2 : 0;
    straight = direction != 0 && direction == last;
    last = direction;
    if (straight) out.pop_back();
    out.push_back({static_cast<double>(normals) / static_cast<double>(all.normal),
                   static_cast<double>(attacks) / static_cast<double>(all.attack)});
  });
  return out;
}

Detected detected_at(const std::vector<ScoredSession>& sorted, const Separation& all, double rate) {
  auto allowed = static_cast<std::uint64_t>(rate * static_cast<double>(all.normal) + 1e-9);
  Detected out{rate, 0, 0, {}};
  // The threshold is the largest normal score that must not be an alarm.
  std::uint64_t normals = 0;
  for (const ScoredSession& s : sorted) {
    if (s.attack || normals++ != allowed) continue;
    out.threshold = s.score;
    break;
  }
  auto found = std::ranges::count_if(
      sorted, [&](const ScoredSession& s) { return s.attack && s.score > out.threshold; });
  out.share = static_cast<double>(found) / static_cast<double>(all.attack);
  out.interval = wilson(out.share, all.attack);
  return out;
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

AttackGroup group_of(std::string name, const std::vector<const AttackOutcome*>& outcomes) {
  AttackGroup group{std::move(name), outcomes.size(), 0, 0, 0};
  std::vector<double> accesses, seconds;
  for (const AttackOutcome* outcome : outcomes) {
    if (!outcome->found()) continue;
    accesses.push_back(static_cast<double>(outcome->to_alarm));
    seconds.push_back(outcome->seconds);
  }
  group.found = accesses.size();
  group.accesses_to_alarm = median(std::move(accesses));
  group.seconds_to_alarm = median(std::move(seconds));
  return group;
}

}  // namespace

AttackGroup all_attacks(const std::vector<AttackOutcome>& outcomes) {
  std::vector<const AttackOutcome*> all;
  all.reserve(outcomes.size());
  for (const AttackOutcome& outcome : outcomes) all.push_back(&outcome);
  return group_of("", all);
}

std::vector<AttackGroup> attack_groups(const std::vector<AttackOutcome>& outcomes,
                                       std::string AttackOutcome::*key) {
  std::map<std::string, std::vector<const AttackOutcome*>> groups;
  for (const AttackOutcome& outcome : outcomes) groups[outcome.*key].push_back(&outcome);
  std::vector<AttackGroup> out;
  out.reserve(groups.size());
  for (const auto& [name, members] : groups) out.push_back(group_of(name, members));
  return out;
}

Interval wilson(double share, std::uint64_t count) {
  if (count == 0) return {};
  auto n = static_cast<double>(count);
  double z2 = kZ * kZ;
  double middle = (share + z2 / (2 * n)) / (1 + z2 / n);
  double half = kZ / (1 + z2 / n) * std::sqrt(share * (1 - share) / n + z2 / (4 * n * n));
  return {std::max(0.0, middle - half), std::min(1.0, middle + half)};
}

Interval auc_interval(double auc, std::uint64_t normal, std::uint64_t attack) {
  if (normal == 0 || attack == 0) return {};
  auto n = static_cast<double>(normal);
  auto m = static_cast<double>(attack);
  // The farthest AUCs that are no more than z of their own deviations away, by halving.
  auto bound = [&](double far) {
    double near = auc;
    for (int step = 0; step < 60; ++step) {
      double middle = (near + far) / 2;
      bool within = std::abs(auc - middle) <= kZ * std::sqrt(auc_variance(middle, n, m));
      (within ? near : far) = middle;
    }
    return near;
  };
  return {bound(0), bound(1)};
}

Separation separation(std::vector<ScoredSession> sessions) {
  sort_down(sessions);
  Separation out;
  double pairs = 0;  // of an attack and a normal session below it
  std::uint64_t attacks = 0;
  each_score(sessions, [&](std::uint64_t normal, std::uint64_t attack) {
    pairs += static_cast<double>(normal) *
             (static_cast<double>(attacks) + static_cast<double>(attack) / 2);
    attacks += attack;
    out.normal += normal;
    out.attack += attack;
  });
  if (out.normal == 0 || out.attack == 0) return out;
  out.auc = pairs / static_cast<double>(out.normal) / static_cast<double>(out.attack);
  out.interval = auc_interval(*out.auc, out.normal, out.attack);
  return out;
}

Evaluation evaluate(const std::vector<ScoredSession>& sessions) {
  Evaluation out;
  std::vector<ScoredSession> sorted = sessions;
  sort_down(sorted);
  out.all = separation(sorted);
  std::map<std::string, std::vector<ScoredSession>> groups;
  for (const ScoredSession& s : sorted) groups[s.group].push_back(s);
  for (auto& [name, members] : groups) out.groups[name] = separation(std::move(members));
  if (!out.all.auc) return out;
  out.roc = curve(sorted, out.all);
  for (double rate : kFalseRates) out.detected.push_back(detected_at(sorted, out.all, rate));
  return out;
}

}  // namespace iovm::analyze
