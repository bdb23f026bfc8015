// SPDX-License-Identifier: Apache-2.0
//
// A Context in a trace file: the header once, then only what the tables gained since the last
// context block. Each record (header, VM, process) is length-prefixed, so that a later version can
// add fields at its end and this one reads over them.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "trace/context.h"

namespace iovm::trace {

// How much of a Context a file already holds.
struct ContextMark {
  bool info = false;
  std::size_t notes = 0;
  std::size_t vms = 0;
  std::size_t processes = 0;
};

// The payload of the next context block, and the mark moved past what it holds; nothing if there is
// nothing new. Call until then: a large table takes several blocks.
std::optional<std::vector<std::byte>> encode_context(const Context& context, ContextMark& mark);

// Adds a payload's records to the context. Entries between its end and the payload's first are ones
// that a damaged block held; they become placeholders (how = "lost with a damaged block").
Status apply_context(std::span<const std::byte> payload, Context& context);

// Makes index `vm` valid.
void cover_vm(Context& context, std::size_t vm);

}  // namespace iovm::trace
