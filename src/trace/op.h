// SPDX-License-Identifier: Apache-2.0
//
// An op: all of an event but its time and value, as the seven numbers that the dictionary of a
// block keeps (the fields of docs/trace-format.md). What an Event has in its last 16 bytes stays
// together: the numbers take few values, and a template for decoding is made by putting them back.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "trace/event.h"

namespace iovm::trace {

// The dictionary's fields, in the order of the file.
enum class OpField : std::uint8_t { address, rip, cr3, count, process, place, present };
inline constexpr std::size_t kOpFields = 7;

using Op = std::array<std::uint64_t, kOpFields>;

namespace internal {
inline constexpr std::size_t kPlaceAt = 48;  // vcpu, vm, kind, direction, size, cpl
inline constexpr std::size_t kPresentAt = 56;
}  // namespace internal

inline Op op_of(const Event& event) {
  const auto* bytes = reinterpret_cast<const std::byte*>(&event);
  std::uint64_t place = 0;
  std::uint64_t present = 0;
  std::memcpy(&place, bytes + internal::kPlaceAt, sizeof place);
  std::memcpy(&present, bytes + internal::kPresentAt, sizeof present);
  return {event.address, event.rip, event.cr3, event.count, event.process, place, present};
}

inline Event event_of(const Op& op) {
  Event event;
  event.address = op[0];
  event.rip = op[1];
  event.cr3 = op[2];
  event.count = static_cast<std::uint32_t>(op[3]);
  event.process = static_cast<std::uint32_t>(op[4]);
  auto* bytes = reinterpret_cast<std::byte*>(&event);
  std::memcpy(bytes + internal::kPlaceAt, &op[5], sizeof op[5]);
  std::memcpy(bytes + internal::kPresentAt, &op[6], sizeof op[6]);
  return event;
}

static_assert(offsetof(Event, vcpu) == internal::kPlaceAt);
static_assert(offsetof(Event, present) == internal::kPresentAt);

// Whether an op from a file makes an event that this version knows.
inline bool is_possible(const Op& op) {
  Event event = event_of(op);
  return op[3] <= UINT32_MAX && op[4] <= UINT32_MAX && op[6] <= 0xff &&
         static_cast<int>(event.kind) < kEventKinds && static_cast<int>(event.direction) <= 1;
}

}  // namespace iovm::trace
