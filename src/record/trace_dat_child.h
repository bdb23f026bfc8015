// SPDX-License-Identifier: Apache-2.0
//
// libtracecmd in a process of its own, and the messages that come back from it: first the formats
// of KVM's tracepoints, then the threads that have records of them, then the records in the order
// of their times, then the end. Every message has a fixed head and at most kMostPayload bytes; what
// the reader gets is checked here against that and nothing more, since the child may have been
// taken over by its file.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace iovm::record::tracecmd {

inline constexpr std::size_t kMostPayload = 65536;

enum class MessageKind : std::uint32_t {
  format,   // payload: a format text
  thread,   // tid; payload: its comm
  ready,    // formats and threads are told
  record,   // time, tid; payload: the raw record
  missed,   // time; count (0: unknown) events missing before here
  end,      // all is read
  refused,  // payload: why the file cannot be read
};

struct MessageHead {
  MessageKind kind = MessageKind::end;
  std::int32_t tid = -1;
  std::uint64_t time = 0;
  std::uint64_t count = 0;
  std::uint32_t bytes = 0;  // of the payload
  std::uint32_t spare = 0;
};
static_assert(sizeof(MessageHead) == 32);

struct Message {
  MessageHead head;
  std::span<const std::byte> payload;  // until the next call
};

class Child {
 public:
  // Starts reading the open file in a child process.
  static Result<Child> start(const UniqueFd& file);
  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;
  ~Child();

  // Nothing: the child ended without saying so; it crashed, or was stopped by its limits.
  Result<std::optional<Message>> next();

 private:
  Child(UniqueFd pipe, pid_t pid) : pipe_(std::move(pipe)), pid_(pid), buffer_(kBufferBytes) {}
  Result<bool> have(std::size_t bytes);

  static constexpr std::size_t kBufferBytes = std::size_t{1} << 18;
  UniqueFd pipe_;
  pid_t pid_;
  std::vector<std::byte> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

// What the child does: reads the file and writes messages to `out`. Does not return to its caller's
// world; the exit code is the process's.
int read_trace_dat(int file, int out);

}  // namespace iovm::record::tracecmd
