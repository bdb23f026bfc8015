// SPDX-License-Identifier: Apache-2.0
#include "cli/commands.h"

namespace iovm::cli {
namespace {

Result<ExitStatus> run_list(CommandLine& line) {
  if (auto end = line.parse()) return *end;
  return Error(Fault::bug, "not written yet");
}

}  // namespace

const Command kList{"list", "list the running virtual machines", run_list};

}  // namespace iovm::cli
