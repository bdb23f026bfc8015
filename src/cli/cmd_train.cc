// SPDX-License-Identifier: Apache-2.0
#include "cli/commands.h"

namespace iovm::cli {
namespace {

Result<ExitStatus> run_train(CommandLine& line) {
  if (auto end = line.parse()) return *end;
  return Error(Fault::bug, "not written yet");
}

}  // namespace

const Command kTrain{"train", "learn what is normal from recordings", run_train};

}  // namespace iovm::cli
