// SPDX-License-Identifier: Apache-2.0
#include "cli/progress_line.h"

#include <unistd.h>

#include <cstdio>

#include "base/clock.h"
#include "base/format.h"

namespace iovm::cli {
namespace {

constexpr std::uint64_t kOnTerminal = 250'000'000;  // ns
constexpr std::uint64_t kInLog = 10'000'000'000;    // ns
constexpr std::string_view kBackAndErase = "\r\x1b[K";

void put(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

}  // namespace

ProgressLine::ProgressLine(std::string who)
    : who_(std::move(who)), terminal_(::isatty(STDERR_FILENO) == 1), told_(monotonic_ns()) {}

void ProgressLine::show(std::string_view text) {
  std::uint64_t now = monotonic_ns();
  if (now - told_ < (terminal_ ? kOnTerminal : kInLog)) return;
  told_ = now;
  if (terminal_) {
    shown_ = true;
    put(format("{}{}: {}", kBackAndErase, who_, text));
  } else {
    put(format("{}: {}\n", who_, text));
  }
}

void ProgressLine::clear() {
  if (shown_) put(kBackAndErase);
  shown_ = false;
}

}  // namespace iovm::cli
