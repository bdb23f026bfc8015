// SPDX-License-Identifier: Apache-2.0
//
// Alerts and scores as text and as JSON: pure functions from the plain data. JSON is one line each,
// with the names of the Elastic Common Schema where it has them and everything of ours below
// "iovm"; the keys are documented in iovm-detect(1) and stay. Text is safe on any terminal.
#pragma once

#include <string>

#include "detect/alert.h"
#include "detect/detector.h"

namespace iovm::detect {

// One line; live alerts also say whether they have just been opened or are over.
enum class Phase : std::uint8_t { whole, opened, closed };
std::string alert_json(const Alert& alert, Phase phase = Phase::whole);
// A line that says what and where, and one for each of the most surprising steps.
std::string alert_text(const Alert& alert, Phase phase = Phase::whole);

std::string score_json(const StreamScore& score, const trace::Context& context, double threshold);
std::string score_text(const StreamScore& score, const trace::Context& context, double threshold);

// "device floppy controller", "process 266 evil", "vCPU 1", "VM". Safe on terminals.
std::string describe(const StreamName& stream, const trace::Context* context);

}  // namespace iovm::detect
