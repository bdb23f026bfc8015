// SPDX-License-Identifier: Apache-2.0
#include "cli/commands.h"

namespace iovm::cli {
namespace {

Result<ExitStatus> run_detect(CommandLine& line) {
  if (auto end = line.parse()) return *end;
  return Error(Fault::bug, "not written yet");
}

}  // namespace

const Command kDetect{"detect", "find what is not normal, in a recording or live", run_detect};

}  // namespace iovm::cli
