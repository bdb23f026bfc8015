// SPDX-License-Identifier: Apache-2.0
#include "detect/alert.h"

#include <algorithm>
#include <array>

#include "base/format.h"
#include "base/text.h"

namespace iovm::detect {
namespace {

constexpr std::array<int, 4> kSeverities = {21, 47, 73, 99};

bool from_user_space(const Alert& alert) {
  if (alert.kind == AlertKind::user_space) return true;
  return std::ranges::any_of(alert.steps,
                             [](const Step& s) { return s.operation.has(model::Mark::user); });
}

Novelty strongest(const Alert& alert) {
  Novelty novelty = Novelty::none;
  for (const Step& step : alert.steps) novelty = std::max(novelty, step.novelty);
  return novelty;
}

std::string_view rule_of(const Excess& excess) {
  switch (excess.quantity) {
    case model::Quantity::rewrites:
      return "a disk's content read and written back";
    case model::Quantity::sectors_written:
      return "far more written to a disk than ever";
    case model::Quantity::sectors_read:
    case model::Quantity::regions:
      return "far more read of a disk than ever";
    default:
      return "far more work on a device than ever";
  }
}

// Whose work it is, where it is one actor's.
std::string_view doer(const Excess& e) {
  if (e.whose != model::Whose::actor) return "";
  switch (e.actor) {
    case trace::ProcessKind::interrupt:
      return ", by interrupts";
    case trace::ProcessKind::kernel_thread:
      return ", by one kernel thread";
    default:
      return ", by one process";
  }
}

}  // namespace

std::string describe(const Excess& e) {
  return iovm::format("{} within {}{}; training's busiest minutes had {}",
                      model::describe(e.quantity, e.amount),
                      describe_duration(std::chrono::nanoseconds(e.duration_ns)), doer(e), e.usual);
}

std::string_view name_of(AlertKind kind) {
  switch (kind) {
    case AlertKind::window:
      return "window";
    case AlertKind::unseen:
      return "unseen";
    case AlertKind::volume:
      return "volume";
    case AlertKind::session:
      return "session";
    case AlertKind::other_kernel:
      return "other-kernel";
    case AlertKind::code:
      return "code";
    case AlertKind::user_space:
      return "user-space";
    case AlertKind::rule:
      return "rule";
  }
  return "window";
}

std::string_view name_of(Stop stop) {
  switch (stop) {
    case Stop::none:
      return "none";
    case Stop::monitor:
      return "monitor";
    case Stop::signal:
      return "signal";
    case Stop::in_exit:
      return "in-exit";
  }
  return "none";
}

std::string_view name_of(Novelty novelty) {
  switch (novelty) {
    case Novelty::none:
      return "rare";
    case Novelty::unknown_code:
      return "unknown-code";
    case Novelty::new_sequence:
      return "new-sequence";
    case Novelty::unknown_value:
      return "unknown-value";
    case Novelty::unknown_size:
      return "unknown-size";
    case Novelty::unknown_access:
      return "unknown-access";
    case Novelty::unknown_device:
      return "unknown-device";
    case Novelty::matched:
      return "matched";
  }
  return "rare";
}

std::string_view rule_of(const Alert& alert) {
  if (alert.rule) return alert.rule->title;
  if (from_user_space(alert)) return "device access from user space";
  if (alert.kind == AlertKind::code) return "code that training never saw drives a known device";
  if (alert.kind == AlertKind::other_kernel) {
    return "the guest's kernel or its modules are not the ones of training";
  }
  if (alert.kind == AlertKind::session) return "unusual session";
  if (alert.kind == AlertKind::volume) return rule_of(*alert.excess);
  switch (strongest(alert)) {
    case Novelty::none:
      return "rare device access sequence";
    case Novelty::unknown_code:
      return "device accesses by code that training never saw there";
    case Novelty::new_sequence:
      return "device accesses in an unknown order";
    case Novelty::unknown_value:
      return "unknown command or register value";
    case Novelty::unknown_size:
      return "known register in an unknown width";
    case Novelty::unknown_access:
      return "unknown access to a known device";
    case Novelty::unknown_device:
      return "access to an unknown device";
    case Novelty::matched:
      return "known attack";
  }
  return "rare device access sequence";
}

int severity_of(const Alert& alert) {
  if (alert.rule) return kSeverities[static_cast<std::size_t>(alert.rule->severity)];
  if (from_user_space(alert)) return 99;
  if (alert.kind == AlertKind::other_kernel) return 21;
  if (alert.code) return 73;
  if (alert.score >= 2 * alert.threshold) return 73;
  return strongest(alert) == Novelty::none && !alert.excess ? 21 : 47;
}

std::string resume_of(const Alert& alert) {
  if (alert.stop == Stop::none) return {};
  return alert.stop == Stop::monitor ? "cont" : iovm::format("kill -CONT {}", alert.stream.vmm_pid);
}

}  // namespace iovm::detect
