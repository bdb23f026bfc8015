// SPDX-License-Identifier: Apache-2.0
//
// QEMU's answer to query-pci, as the layout that a trace carries: every function of every bus, also
// behind bridges, with what its BARs decode. A pure function of the text. The text is a VMM's, and
// a guest decides much of it: what is not as it should be is left out, nothing is taken past the
// trace's limits, and no nesting is followed further than PCI has buses.
#pragma once

#include <string_view>

#include "base/result.h"
#include "trace/pci_layout.h"

namespace iovm::record {

// `text` is a whole message: {"return": [BUS...]}.
Result<trace::PciLayout> parse_query_pci(std::string_view text, std::string_view from);

}  // namespace iovm::record
