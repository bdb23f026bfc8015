// SPDX-License-Identifier: Apache-2.0
//
// The processes of a recording, each once: events name them by index. A life of a thread under one
// name is one process: a pid that is used again has another start, an exec another comm. The table
// only grows, to kMost for each VM; a guest that makes up processes without end runs into that, and
// its further events are of unknown processes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <tuple>
#include <vector>

#include "trace/context.h"

namespace iovm::record {

class GuestProcesses {
 public:
  static constexpr std::size_t kMost = 1'000'000;

  // `table` is the recording's (Context::processes) and outlives this.
  explicit GuestProcesses(std::vector<trace::GuestProcess>& table) : table_(&table) {}

  // The index of an equal process, a new one if there is none; nothing if the VM has too many.
  std::optional<std::uint32_t> index_of(const trace::GuestProcess& process);
  const trace::GuestProcess& operator[](std::uint32_t index) const { return (*table_)[index]; }

 private:
  using Key = std::tuple<std::uint16_t, std::int64_t, std::int64_t, std::uint64_t, std::string,
                         trace::ProcessKind, trace::Confidence, std::string>;

  std::vector<trace::GuestProcess>* table_;
  std::map<Key, std::uint32_t> known_;
  std::map<std::uint16_t, std::size_t> per_vm_;
};

}  // namespace iovm::record
