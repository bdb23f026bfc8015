// SPDX-License-Identifier: Apache-2.0
//
// A recording that should be normal work, looked at by a model as detect does: how many alerts it
// raises, in how much.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "detect/learned.h"

namespace iovm::cli {

struct NormalRun {
  std::uint64_t alerts = 0;  // episodes
  std::uint64_t events = 0;
  std::uint64_t sessions = 0;
  std::uint64_t duration_ns = 0;
};

Result<NormalRun> look_over(const std::string& trace, const detect::Learned& learned);

}  // namespace iovm::cli
