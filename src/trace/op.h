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
  std::memcpy(&place, bytes + internal::kPlaceAt, sizeof place);
  return {event.address, event.rip, event.cr3, event.count, event.process, place, event.present};
}

// Puts one number of an op into an event; false if no event of this version can have it.
inline bool put_field(Event& event, OpField field, std::uint64_t number) {
  auto* bytes = reinterpret_cast<std::byte*>(&event);
  switch (field) {
    case OpField::address:
      event.address = number;
      return true;
    case OpField::rip:
      event.rip = number;
      return true;
    case OpField::cr3:
      event.cr3 = number;
      return true;
    case OpField::count:
      event.count = static_cast<std::uint32_t>(number);
      return number <= UINT32_MAX;
    case OpField::process:
      event.process = static_cast<std::uint32_t>(number);
      return number <= UINT32_MAX;
    case OpField::place:
      std::memcpy(bytes + internal::kPlaceAt, &number, sizeof number);
      return static_cast<int>(event.kind) < kEventKinds && static_cast<int>(event.direction) <= 1;
    case OpField::present:
      std::memcpy(bytes + internal::kPresentAt, &number, sizeof number);
      return number <= 0xff;  // the bytes behind it are spare
  }
  return false;
}

static_assert(offsetof(Event, vcpu) == internal::kPlaceAt);
static_assert(offsetof(Event, present) == internal::kPresentAt);

}  // namespace iovm::trace
