// SPDX-License-Identifier: Apache-2.0
#include "cli/stop_signals.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <utility>

namespace iovm::cli {
namespace {

sigset_t stopping() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

// From now on, for this thread, the signals do what they always do: end the process.
void let_signals_through() {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
  sigset_t set = stopping();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

void watch(int signals, int end, const std::function<void()>& on_first,
           const std::function<void()>& on_hangup) {
  std::array<pollfd, 2> polls = {pollfd{signals, POLLIN, 0}, pollfd{end, POLLIN, 0}};
  for (signalfd_siginfo info = {};;) {
    while (::poll(polls.data(), polls.size(), -1) < 0) {
    }
    if (polls[1].revents != 0) return;
    static_cast<void>(!::read(signals, &info, sizeof info));
    if (info.ssi_signo != SIGHUP) break;
    on_hangup();
  }
  on_first();
  let_signals_through();
  while (::poll(&polls[1], 1, -1) < 0) {
  }
}

}  // namespace

Result<StopSignals> StopSignals::create(std::function<void()> on_first,
                                        std::function<void()> on_hangup) {
  StopSignals out;
  sigset_t set = stopping();
  if (on_hangup) sigaddset(&set, SIGHUP);
  UniqueFd signals(::signalfd(-1, &set, SFD_CLOEXEC));
  out.end_ = UniqueFd(::eventfd(0, EFD_CLOEXEC));
  if (!signals || !out.end_) return errno_error("waiting for signals");
  pthread_sigmask(SIG_BLOCK, &set, &out.before_);
  out.thread_ =
      std::thread([fd = std::move(signals), end = out.end_.get(), first = std::move(on_first),
                   hangup = std::move(on_hangup)] { watch(fd.get(), end, first, hangup); });
  return out;
}

StopSignals::~StopSignals() {
  if (!thread_.joinable()) return;
  std::uint64_t one = 1;
  static_cast<void>(!::write(end_.get(), &one, sizeof one));
  thread_.join();
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

}  // namespace iovm::cli
