// SPDX-License-Identifier: Apache-2.0
//
// A trace made fit to be shown to others: what it must not tell is taken out, and the rest stays as
// it is, so that it can still be looked at. What a word takes out, and what it leaves, is written
// in iovm-cut(1); that page and this code are one.
//
// A name gets a pseudonym by the order in which names appear: the same name is the same pseudonym
// throughout one trace, and says nothing about the name. (A hash would: names are easily guessed.)
// Values have none: what hides a byte is not to have it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "analyze/event_labels.h"
#include "base/result.h"
#include "trace/context.h"
#include "trace/event.h"

namespace iovm::analyze {

struct RedactionWords {
  bool names = false;
  bool values = false;
  bool all_values = false;
  bool code = false;
  bool host = false;
  bool time = false;

  // "names,values"; "all" is every word.
  static Result<RedactionWords> parse(std::string_view text);
  bool any() const { return names || values || all_values || code || host || time; }
};

class Redaction {
 public:
  explicit Redaction(RedactionWords words) : words_(words) {}

  // What a trace says about itself without what the words take out; once, before context(). Notes
  // of whoever redacts may be added to it.
  trace::TraceInfo& info(const trace::TraceInfo& whole);
  // The tables likewise; they grow with every call as those of `whole` do.
  const trace::Context& context(const trace::Context& whole);
  // `use`: what the event's value is good for.
  trace::Event event(const trace::Event& event, model::ValueUse use);

 private:
  trace::VmInfo vm(trace::VmInfo vm);
  trace::GuestProcess process(trace::GuestProcess process);

  RedactionWords words_;
  trace::Context context_;
  std::map<std::string, std::size_t> vm_names_;  // to the number of its pseudonym
  std::map<std::string, std::size_t> process_names_;
  std::optional<std::uint64_t> start_;  // time of the first event
};

}  // namespace iovm::analyze
