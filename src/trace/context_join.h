// SPDX-License-Identifier: Apache-2.0
//
// The tables of one trace made of those of others, for what writes a new trace out of old ones: an
// event goes in with the numbers of its own trace and comes out with those of the joined tables.
// Only what an event uses is entered, so a part of a trace names nobody whom it does not show.
//
// VMs of two traces are one if name, UUID, VMM and host pid are equal, processes if all that is
// known of them is. The PCI layout is that of whichever was entered first and has one. The joined
// Context only grows, as every Context does.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "base/result.h"
#include "trace/context.h"
#include "trace/event.h"

namespace iovm::trace {

class ContextJoin {
 public:
  explicit ContextJoin(TraceInfo info) { context_.info = std::move(info); }

  // Appends the event of trace number `source`, whose Context is `from`. An error: the tables are
  // full.
  Status add(std::size_t source, const Context& from, const Event& event, std::vector<Event>& out);
  // Enters the VMs that `from` has so far, used or not.
  Status add_vms(std::size_t source, const Context& from);

  const Context& context() const { return context_; }
  // To be changed before the context is handed on.
  TraceInfo& info() { return context_.info; }
  VmInfo& vm(std::uint16_t number) { return context_.vms[number]; }

 private:
  using ProcessKey = std::tuple<std::uint16_t, std::int64_t, std::int64_t, std::uint64_t,
                                std::string, ProcessKind, Confidence, std::string>;
  struct Numbers {
    std::vector<std::optional<std::uint16_t>> vms;
    std::vector<std::optional<std::uint32_t>> processes;
  };

  Numbers& numbers_of(std::size_t source);
  Result<std::uint16_t> vm(std::size_t source, const Context& from, std::uint16_t index);
  Result<std::uint32_t> process(std::size_t source, const Context& from, std::uint32_t index);

  Context context_;
  std::vector<Numbers> numbers_;  // by source
  std::map<ProcessKey, std::uint32_t> known_;
};

}  // namespace iovm::trace
