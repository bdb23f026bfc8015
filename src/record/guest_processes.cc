// SPDX-License-Identifier: Apache-2.0
#include "record/guest_processes.h"

#include "trace/event.h"

namespace iovm::record {

std::optional<std::uint32_t> GuestProcesses::index_of(const trace::GuestProcess& process) {
  Key key{process.vm,   process.pid,  process.tgid,       process.start_ns,
          process.comm, process.kind, process.confidence, process.how};
  if (auto found = known_.find(key); found != known_.end()) return found->second;
  std::size_t& count = per_vm_[process.vm];
  if (count >= kMost || table_->size() >= trace::kFirstUnknown) return std::nullopt;
  ++count;
  auto index = static_cast<std::uint32_t>(table_->size());
  table_->push_back(process);
  known_.emplace(std::move(key), index);
  return index;
}

}  // namespace iovm::record
