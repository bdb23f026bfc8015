// SPDX-License-Identifier: Apache-2.0
//
// A Diagnosis as people and as scripts read it. Pure functions.
#pragma once

#include <string>

#include "record/doctor.h"

namespace iovm::record {

// A block for each source: whether it works, then its checks; an arrow leads to what mends one.
std::string render_text(const Diagnosis& diagnosis);
// {"works":..., "sources":[{"source","works"}], "guest":{"processes","summary","took_ms"},
// "checks":[{"source","name","state","found","mend"}]}
std::string render_json(const Diagnosis& diagnosis);

}  // namespace iovm::record
