// SPDX-License-Identifier: Apache-2.0
//
// Ctrl-C for commands that run until they are stopped: the first SIGINT or SIGTERM calls back, and
// the command drains and closes what it has; the second ends the process as the signal would have.
//
// A command that can take its configuration anew says so, and SIGHUP then calls that back, any
// number of times.
//
// The signals are blocked and taken by a thread of its own, so the callback is an ordinary function
// that may run while the command is stuck in a write. Construct it before other threads start, so
// that they inherit the mask; destroy it to have the signals as before.
#pragma once

#include <csignal>
#include <functional>
#include <thread>

#include "base/fd.h"
#include "base/result.h"

namespace iovm::cli {

class StopSignals {
 public:
  // `on_first` is called once, from another thread.
  static Result<StopSignals> create(std::function<void()> on_first,
                                    std::function<void()> on_hangup = {});
  StopSignals(StopSignals&&) = default;
  StopSignals& operator=(StopSignals&&) = delete;
  ~StopSignals();

 private:
  StopSignals() = default;

  sigset_t before_ = {};
  UniqueFd end_;  // readable: the thread is to end
  std::thread thread_;
};

}  // namespace iovm::cli
