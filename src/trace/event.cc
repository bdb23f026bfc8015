// SPDX-License-Identifier: Apache-2.0
#include "trace/event.h"

#include <algorithm>
#include <array>

#include "base/assert.h"

namespace iovm::trace {
namespace {

constexpr std::array<std::string_view, kEventKinds> kKindNames = {"pio", "mmio", "fast", "loss"};
constexpr std::array<std::string_view, kLossCauses> kCauseNames = {"ring", "source", "damaged"};

}  // namespace

// A loss keeps its cause in the address and its count in the value.
Event make_loss(std::uint64_t time, std::uint16_t vm, std::optional<std::uint16_t> vcpu,
                Loss loss) {
  Event event;
  event.kind = EventKind::loss;
  event.time = time;
  event.vm = vm;
  event.address = static_cast<std::uint64_t>(loss.cause);
  set_value(event, loss.count);
  if (vcpu) set_vcpu(event, *vcpu);
  return event;
}

Loss loss_of(const Event& event) {
  IOVM_ASSERT(event.kind == EventKind::loss);
  auto cause =
      event.address < kLossCauses ? static_cast<LossCause>(event.address) : LossCause::source;
  return {cause, event.value};
}

void LossTotals::add(Loss loss) {
  std::uint64_t& total = loss.cause == LossCause::ring     ? ring
                         : loss.cause == LossCause::source ? source
                                                           : damaged;
  total += std::max<std::uint64_t>(loss.count, 1);
}

std::string_view name_of(EventKind kind) {
  return kKindNames[static_cast<std::size_t>(kind)];
}
std::string_view name_of(LossCause cause) {
  return kCauseNames[static_cast<std::size_t>(cause)];
}

std::string_view name_of(Unknown reason) {
  switch (reason) {
    case Unknown::not_recorded:
      return "not recorded";
    case Unknown::guest_not_ready:
      return "guest kernel not up";
    case Unknown::not_resolved:
      break;
  }
  return "not resolved";
}

std::optional<EventKind> event_kind(std::string_view name) {
  auto found = std::find(kKindNames.begin(), kKindNames.end(), name);
  if (found == kKindNames.end()) return std::nullopt;
  return static_cast<EventKind>(found - kKindNames.begin());
}

}  // namespace iovm::trace
