// SPDX-License-Identifier: Apache-2.0
//
// A PCI layout as fields behind those of its VM's record (docs/trace-format.md, context blocks).
#pragma once

#include "base/result.h"
#include "trace/archive.h"
#include "trace/pci_layout.h"

namespace iovm::trace {

// What is more than the format holds is left out.
void put_layout(ArchiveWriter& out, const PciLayout& layout);
// An error if it holds more than it may, or than is there.
Status get_layout(ArchiveReader& in, PciLayout& layout);

}  // namespace iovm::trace
