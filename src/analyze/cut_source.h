// SPDX-License-Identifier: Apache-2.0
//
// A part of a trace as a trace: the events that a filter wants, with the tables of those alone, and
// without what a redaction takes out. Notes tell what it is a part of.
//
// Where devices are is known from the guest's PCI configuration, most of which happens at its boot.
// A part has the PCI layout of its own first event, so that a minute of a trace still knows its
// devices by name. `keep_layout` also lets those accesses through, from the start of the trace on,
// whatever else is wanted: capabilities and what the chip set moves are in them alone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analyze/event_filter.h"
#include "analyze/event_labels.h"
#include "analyze/redaction.h"
#include "trace/context_join.h"
#include "trace/source.h"

namespace iovm::analyze {

struct CutWishes {
  EventFilter filter;
  bool keep_layout = false;
  RedactionWords redact;
  std::string filter_text;     // for the notes, as the user typed it
  std::string redaction_text;  // the same
};

class CutSource : public trace::EventSource {
 public:
  // `whole` outlives it.
  CutSource(trace::EventSource& whole, CutWishes wishes);

  Result<std::span<const trace::Event>> next() override;
  const trace::Context& context() const override { return *context_; }

 private:
  void begin();
  Status take(std::span<const trace::Event> events);

  trace::EventSource& whole_;
  CutWishes wishes_;
  EventMatcher matcher_;
  Redaction redaction_;
  std::optional<EventLabels> labels_;
  std::optional<trace::ContextJoin> join_;
  const trace::Context* context_;
  std::vector<trace::Event> batch_;
  std::uint64_t number_ = 0;
};

}  // namespace iovm::analyze
