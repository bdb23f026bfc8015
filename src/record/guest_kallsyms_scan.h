// SPDX-License-Identifier: Apache-2.0
//
// Where kallsyms is in a kernel whose VMCOREINFO does not say it (before 6.0). Those kernels have
// its tables one behind the other, each at a multiple of 8 (their scripts/kallsyms.c):
//
//   offsets  relative_base  num_syms  names  markers  token_table  token_index
//
// The last is the one that can be known by its looks: 256 rising numbers, which must be the
// beginnings of the strings before it. From there each table leads to the one before: the markers
// are rising places in names, one for each 256 symbols; num_syms must be as many, and the first
// marker the end of the first 256 names. What is found is still to be proved by read_kallsyms(): a
// symbol whose address is known otherwise.
#pragma once

#include <optional>

#include "record/guest_image.h"
#include "record/guest_kallsyms.h"

namespace iovm::record {

std::optional<KallsymsTables> scan_for_kallsyms(KernelImage& image);

}  // namespace iovm::record
