// SPDX-License-Identifier: Apache-2.0
//
// One process as /proc shows it: what the VM lookup reads of it, each part by its own call and only
// when asked for, since a scan passes over thousands of processes to find a few. A process may end
// between two calls: then everything about it is simply empty, and the caller sees no VM.
//
// Nothing here is trusted: a command line and a comm are what the process wrote there, of any
// length and bytes. Every read has a limit, and a thread list ends at kMaxThreads.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace iovm::record {

struct Descriptor {
  int number = -1;
  std::string target;  // "anon_inode:kvm-vm", "/dev/null", ...
};

// A system call that a thread is blocked in: /proc/PID/task/TID/syscall.
struct BlockedCall {
  std::int64_t number = -1;
  std::uint64_t argument[3] = {};
};

class ProcProcess {
 public:
  static constexpr std::size_t kMaxThreads = 65536;

  ProcProcess(std::string_view proc_root, std::int32_t pid);

  std::int32_t pid() const { return pid_; }

  // Nothing: they may not be looked at (EACCES). A process that has ended has none.
  std::optional<std::vector<Descriptor>> descriptors() const;
  std::vector<std::string> command_line() const;
  std::string comm() const;
  std::string executable() const;  // the path; empty where unreadable; without " (deleted)"
  std::int32_t parent() const;     // -1 unknown
  // When it began: clock ticks since the host booted, whatever time name space we are in. With the
  // pid it tells a process from the next one that gets the number. Nothing: it has ended.
  std::optional<std::uint64_t> started() const;
  // Bytes of the largest private-or-shared writable mapping: the guest's RAM where nothing says.
  std::uint64_t largest_mapping() const;

  std::vector<std::int32_t> threads() const;  // ascending
  std::string thread_comm(std::int32_t tid) const;
  std::optional<BlockedCall> blocked_call(std::int32_t tid) const;  // nothing: it runs, or no right

 private:
  std::string path_;
  std::int32_t pid_;
};

// The pids below a /proc, ascending; nothing where there is no such folder.
std::optional<std::vector<std::int32_t>> list_pids(const std::string& proc_root);

}  // namespace iovm::record
