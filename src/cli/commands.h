// SPDX-License-Identifier: Apache-2.0
//
// The subcommands, each in its own cmd_NAME.cc; the table that lists them is in main.cc.
#pragma once

#include "cli/command_line.h"

namespace iovm::cli {

extern const Command kRecord;
extern const Command kTrain;
extern const Command kDetect;
extern const Command kExplain;
extern const Command kEval;
extern const Command kRules;
extern const Command kImport;
extern const Command kExport;
extern const Command kDump;
extern const Command kInfo;
extern const Command kCut;
extern const Command kMergeTraces;
extern const Command kVerify;
extern const Command kBundle;
extern const Command kModel;
extern const Command kList;
extern const Command kDoctor;

}  // namespace iovm::cli
