// SPDX-License-Identifier: Apache-2.0
//
// Who acts, as far as an event tells: a guest process, an address space where the process is not
// known, or nobody known. A number, for tables and keys; of one recording.
#pragma once

#include <cstdint>
#include <optional>

#include "trace/context.h"
#include "trace/event.h"

namespace iovm::model {

using Actor = std::uint64_t;
inline constexpr Actor kNobody = 0;
inline constexpr Actor kGuestKernel = 1;  // kernel_or_process_of only

namespace actor {
inline constexpr std::uint64_t kProcess = std::uint64_t{1} << 62;
inline constexpr std::uint64_t kSpace = std::uint64_t{1} << 63;
}  // namespace actor

// The address of the page tables alone: PCID and other low bits differ from switch to switch.
constexpr std::uint64_t address_space(std::uint64_t cr3) {
  return cr3 & 0x000f'ffff'ffff'f000;
}

inline Actor actor_of(const trace::Event& event) {
  if (event.knows_process()) return actor::kProcess | event.process;
  return event.has(trace::Field::cr3) ? actor::kSpace | address_space(event.cr3) : kNobody;
}

// The same, but what the guest's kernel does by itself (its threads, idle loop, interrupts) has one
// actor, and so has its firmware.
inline Actor kernel_or_process_of(const trace::Event& event, const trace::Context& context) {
  if (event.process >= context.processes.size()) return actor_of(event);
  switch (context.processes[event.process].kind) {
    case trace::ProcessKind::kernel_thread:
    case trace::ProcessKind::idle:
    case trace::ProcessKind::interrupt:
    case trace::ProcessKind::firmware:
      return kGuestKernel;
    case trace::ProcessKind::user:
    case trace::ProcessKind::unknown:
    case trace::ProcessKind::address_space:
      break;
  }
  return actor_of(event);
}

// The process's index in Context::processes, if the actor is one.
constexpr std::optional<std::uint32_t> process_of(Actor actor) {
  if ((actor & actor::kSpace) != 0 || (actor & actor::kProcess) == 0) return std::nullopt;
  return static_cast<std::uint32_t>(actor);
}

}  // namespace iovm::model
