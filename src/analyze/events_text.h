// SPDX-License-Identifier: Apache-2.0
//
// The events text of docs/events-text.md: one event a line, for scripts and data sets. In by
// EventsTextSource (`import --from events`), out by EventsTextRenderer (`dump --format events`);
// what goes in comes out again, byte for byte where the input was canonical.
//
// The parser reads a line once, field by field, with no allocation: the files run to millions of
// lines. A wrong line is an error that names the line, the column and what would have been right;
// the events before it are handed out first. Header lines are kept as notes of the TraceInfo, in
// their order; those before the first event are there as soon as the source is open.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "analyze/event_line.h"
#include "analyze/line_reader.h"
#include "base/result.h"
#include "trace/source.h"

namespace iovm::analyze {

class EventsTextSource : public trace::EventSource {
 public:
  // `path` may be "-". Errors here name it; those of next() leave that to the caller. The header is
  // read before it returns.
  static Result<std::unique_ptr<EventsTextSource>> open(const std::string& path);
  static Result<std::unique_ptr<EventsTextSource>> from_text(std::string text);
  ~EventsTextSource() override;

  Result<std::span<const trace::Event>> next() override;
  const trace::Context& context() const override;

 private:
  class Impl;
  explicit EventsTextSource(std::unique_ptr<Impl> impl);
  static Result<std::unique_ptr<EventsTextSource>> start(LineReader lines,
                                                         const std::string& place);
  std::unique_ptr<Impl> impl_;
};

// Makes the text of a stream, batch by batch, header first. The columns are those of the file that
// the events were imported from, else the nine with cr3, rip, count and cpl; a second VM adds vm.
class EventsTextRenderer {
 public:
  void append(const trace::Context& context, std::span<const trace::Event> events,
              std::string& out);
  // The header alone, for a stream without events; append() has it of itself.
  void header(const trace::Context& context, std::string& out);

 private:
  void tell_new_vms(const trace::Context& context, std::string& out);
  // Whether it was needed and is new.
  bool add_vm_column(const trace::Context& context);
  void tell_columns(std::string& out) const;

  bool began_ = false;
  std::size_t vms_told_ = 0;
  std::vector<Column> more_;  // behind the nine
};

}  // namespace iovm::analyze
