// SPDX-License-Identifier: Apache-2.0
//
// A PCI function of a VM's layout as words, for the events text (docs/events-text.md):
//
//   00:03.0 8086:100e 0200 - 0:mem:0xfeb80000:0x20000 1:io:0xc000:0x40
//
// The numbers are as somebody told them: what goes out comes in again, whether it can be or not.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "trace/pci_layout.h"

namespace iovm::analyze {

std::string layout_words(const trace::PciFunction& function);
// Nothing where a word is wrong.
std::optional<trace::PciFunction> parse_layout_words(std::span<const std::string_view> words);

}  // namespace iovm::analyze
