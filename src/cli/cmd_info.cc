// SPDX-License-Identifier: Apache-2.0
#include "cli/commands.h"

namespace iovm::cli {
namespace {

Result<ExitStatus> run_info(CommandLine& line) {
  if (auto end = line.parse()) return *end;
  return Error(Fault::bug, "not written yet");
}

}  // namespace

const Command kInfo{"info", "tell what a trace or model file holds", run_info};

}  // namespace iovm::cli
