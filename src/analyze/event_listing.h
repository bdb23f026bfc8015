// SPDX-License-Identifier: Apache-2.0
//
// Events for people and for programs, a line each: a table of up to 100 columns, JSON lines and
// CSV. Names from the guest are escaped for what the line is read by: terminals, JSON parsers,
// spreadsheets (which run a cell that begins with "=").
//
// The JSON keys: event, time_ns, vm, vcpu, kind, direction, address, size, value, count, cr3, rip,
// cpl, process{pid,tgid,start_ns,comm,kind,confidence,how}, device, place, register; of a loss:
// event, time_ns, vm, vcpu, kind, cause, lost. What is not known is left out. Addresses and values
// are strings "0x1f7", since JSON's numbers end at 53 bits.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "analyze/event_labels.h"
#include "trace/context.h"
#include "trace/event.h"

namespace iovm::analyze {

// One event and what is known around it.
struct ListedEvent {
  const trace::Context& context;
  std::uint64_t number = 0;  // position in the recording, losses counted too
  const trace::Event& event;
  const EventLabel& label;
  std::uint64_t start = 0;  // time of the recording's first event
};

class EventListing {
 public:
  virtual ~EventListing() = default;
  // What stands above the events.
  virtual void begin(const trace::Context& context, std::string& out) = 0;
  virtual void append(const ListedEvent& listed, std::string& out) = 0;
  // What stands below them.
  virtual void end(const trace::Context&, std::string&) {}
};

class TextListing : public EventListing {
 public:
  void begin(const trace::Context& context, std::string& out) override;
  void append(const ListedEvent& listed, std::string& out) override;

 private:
  std::deque<std::string> processes_;  // "dd:153", by index
};

class JsonListing : public EventListing {
 public:
  void begin(const trace::Context& context, std::string& out) override;
  void append(const ListedEvent& listed, std::string& out) override;

 private:
  std::deque<std::string> processes_;  // ready members, by index
  std::deque<std::string> vms_;
};

class CsvListing : public EventListing {
 public:
  void begin(const trace::Context& context, std::string& out) override;
  void append(const ListedEvent& listed, std::string& out) override;

 private:
  std::deque<std::string> names_;  // ready cells, by process index
};

// "dd:153", "153" or "dd", safe on a terminal.
std::string process_text(const trace::GuestProcess& process);

}  // namespace iovm::analyze
