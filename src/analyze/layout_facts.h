// SPDX-License-Identifier: Apache-2.0
//
// The PCI layouts of a recording's VMs, as `iovm info` shows them: told by a VMM and read from a
// file, so every number may be anything.
#pragma once

#include <string>

#include "base/json.h"
#include "trace/context.h"

namespace iovm::analyze {

// A table for each VM that has a layout.
std::string layouts_text(const trace::Context& context);
// {"from": ..., "functions": [...]}, or null where nobody told one.
void put_layout(JsonWriter& json, const trace::PciLayout& layout);

}  // namespace iovm::analyze
