// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as an events text and as a file of sequences: no crash, and what was read comes out as
// text that is read again as the same text (the renderer's own output is canonical).
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "analyze/events_text.h"
#include "analyze/sequences.h"

namespace {

using iovm::analyze::EventsTextRenderer;
using iovm::analyze::EventsTextSource;

// What can be read of a text, written again; whether all of it could.
bool rewrite(std::string text, std::string& out) {
  auto source = EventsTextSource::from_text(std::move(text));
  if (!source) return false;
  EventsTextRenderer renderer;
  for (;;) {
    auto batch = (*source)->next();
    if (!batch) return false;
    renderer.append((*source)->context(), *batch, out);
    if (batch->empty()) return true;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size);
  if (auto source = iovm::analyze::SequencesSource::from_text(text)) {
    for (;;) {
      auto batch = (*source)->next();
      if (!batch || batch->empty()) break;
    }
  }
  std::string once;
  if (!rewrite(text, once)) return 0;
  std::string twice;
  if (!rewrite(once, twice) || once != twice) std::abort();
  return 0;
}
