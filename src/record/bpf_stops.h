// SPDX-License-Identifier: Apache-2.0
//
// The writes at which VMs are stopped, as the BPF program looks them up: by address, all that is
// tested there together.
#pragma once

#include <span>
#include <vector>

#include "base/result.h"
#include "record/bpf/state.h"
#include "trace/write_match.h"

namespace iovm::record {

struct StopPlace {
  iovm_stop_at at;
  iovm_stop_tests tests;
};

// By address. An error if there are more than the program has room for.
Result<std::vector<StopPlace>> stop_places(std::span<const trace::WriteMatch> writes);

}  // namespace iovm::record
