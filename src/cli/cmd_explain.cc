// SPDX-License-Identifier: Apache-2.0
#include "cli/commands.h"

namespace iovm::cli {
namespace {

Result<ExitStatus> run_explain(CommandLine& line) {
  if (auto end = line.parse()) return *end;
  return Error(Fault::bug, "not written yet");
}

}  // namespace

const Command kExplain{"explain",
                       "tell why: the abnormal steps, who did them, what normal would have been",
                       run_explain};

}  // namespace iovm::cli
