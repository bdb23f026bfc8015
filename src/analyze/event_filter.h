// SPDX-License-Identifier: Apache-2.0
//
// Which events of a trace the user wants to see. Conditions that are not set let everything
// through; all that are set must hold. A loss has no process, device, address or direction: it may
// have hit the very events asked for, so only time, VM, vCPU and kind keep it out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/tokenizer.h"
#include "trace/context.h"
#include "trace/event.h"

namespace iovm::analyze {

// A point in time as the user writes it: nanoseconds of the trace's clock, or "+1.5s" after its
// first event.
struct TimePoint {
  bool relative = false;
  std::uint64_t ns = 0;

  static Result<TimePoint> parse(std::string_view text);
  std::uint64_t at(std::uint64_t trace_start) const { return relative ? trace_start + ns : ns; }
};

// First to last, both included: "0x1f0-0x1f7", "0x64", "120-140".
struct NumberRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;

  static Result<NumberRange> parse(std::string_view text);
  bool holds(std::uint64_t number) const { return first <= number && number <= last; }
};

// A device by its key ("fdc", "8086:100e"), its PCI place ("00:03.0") or a part of its name
// ("floppy", any case).
bool is_called(const model::Device& device, std::string_view wanted);

struct EventFilter {
  std::optional<TimePoint> from;  // inclusive
  std::optional<TimePoint> to;    // exclusive
  std::optional<NumberRange> events;
  std::optional<std::string> process;  // pid or name; "-" is the unknown ones
  std::optional<std::string> device;
  std::optional<NumberRange> address;
  std::optional<trace::Direction> direction;
  std::optional<trace::EventKind> kind;
  std::optional<std::string> vm;  // name, UUID or index
  std::optional<std::uint16_t> vcpu;
};

// The filter at work on one stream. What it finds out about a process, a VM or a device is kept, so
// that an event costs no comparison of texts.
class EventMatcher {
 public:
  explicit EventMatcher(EventFilter filter) : filter_(std::move(filter)) {}

  // `device`: of the event, if the caller knows it; needed when the filter names one.
  bool matches(const trace::Context& context, std::uint64_t number, const trace::Event& event,
               const model::Device* device, model::DeviceIndex index);
  // Whether neither this event nor any after it can match, going by its number. (Times are no sign:
  // the vCPUs of one recording can be a little out of step.)
  bool is_over(std::uint64_t number) const {
    return filter_.events && number > filter_.events->last;
  }

 private:
  bool matches_place(const trace::Context& context, std::uint64_t number,
                     const trace::Event& event);
  bool matches_vm(const trace::Context& context, std::uint16_t vm);
  bool matches_process(const trace::Context& context, const trace::Event& event);
  bool matches_device(const model::Device* device, model::DeviceIndex index);

  EventFilter filter_;
  std::optional<std::uint64_t> start_;  // time of the first event
  std::vector<std::optional<bool>> vms_;
  std::vector<std::optional<bool>> processes_;
  std::vector<std::optional<bool>> devices_;
};

}  // namespace iovm::analyze
