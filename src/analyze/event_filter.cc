// SPDX-License-Identifier: Apache-2.0
#include "analyze/event_filter.h"

#include <algorithm>

#include "base/format.h"
#include "base/text.h"

namespace iovm::analyze {
namespace {

using trace::Event;
using trace::EventKind;

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

// The answer of `decide` for entry `index`, asked for once.
template <typename Decide>
bool remembered(std::vector<std::optional<bool>>& answers, std::size_t index, Decide decide) {
  if (index >= answers.size()) answers.resize(index + 1);
  if (!answers[index]) answers[index] = decide();
  return *answers[index];
}

}  // namespace

Result<TimePoint> TimePoint::parse(std::string_view text) {
  if (text.starts_with('+')) {
    auto after = parse_duration(text.substr(1));
    if (!after) return std::move(after).error();
    return TimePoint{true, static_cast<std::uint64_t>(after->count())};
  }
  auto ns = parse_unsigned(text);
  if (!ns)
    return usage_error(
        format("\"{}\" is not a time; write +1.5s after the trace's start, or nanoseconds of its "
               "clock",
               escape_terminal(text)));
  return TimePoint{false, *ns};
}

Result<NumberRange> NumberRange::parse(std::string_view text) {
  std::size_t dash = text.find('-');
  auto first = parse_unsigned(text.substr(0, dash));
  auto last = dash == std::string_view::npos ? first : parse_unsigned(text.substr(dash + 1));
  if (first && last && *first <= *last) return NumberRange{*first, *last};
  return usage_error(format("\"{}\" is not a number or a range; write 0x1f0 or 0x1f0-0x1f7",
                            escape_terminal(text)));
}

bool is_called(const model::Device& device, std::string_view wanted) {
  if (wanted.empty()) return false;
  std::string low = lower_case(wanted);
  if (model::device_key(device.type) == low) return true;
  return lower_case(model::describe(device)).find(low) != std::string::npos;
}

bool EventMatcher::matches(const trace::Context& context, std::uint64_t number, const Event& event,
                           const model::Device* device, model::DeviceIndex index) {
  if (!matches_place(context, number, event)) return false;
  if (event.kind == EventKind::loss) return true;
  if (filter_.direction && event.direction != *filter_.direction) return false;
  if (filter_.address && !filter_.address->holds(event.address)) return false;
  if (filter_.process && !matches_process(context, event)) return false;
  return !filter_.device || matches_device(device, index);
}

bool EventMatcher::matches_place(const trace::Context& context, std::uint64_t number,
                                 const Event& event) {
  if (!start_) start_ = event.time;
  if (filter_.events && !filter_.events->holds(number)) return false;
  if (filter_.from && event.time < filter_.from->at(*start_)) return false;
  if (filter_.to && event.time >= filter_.to->at(*start_)) return false;
  if (filter_.kind && event.kind != *filter_.kind) return false;
  bool whole_vm = event.kind == EventKind::loss && !event.has(trace::Field::vcpu);
  if (filter_.vcpu && !whole_vm && (!event.has(trace::Field::vcpu) || event.vcpu != *filter_.vcpu))
    return false;
  return !filter_.vm || event.vm == trace::kAllVms || matches_vm(context, event.vm);
}

bool EventMatcher::matches_vm(const trace::Context& context, std::uint16_t vm) {
  return remembered(vms_, vm, [&] {
    if (vm < context.vms.size()) {
      const trace::VmInfo& info = context.vms[vm];
      if (info.name == *filter_.vm || (!info.uuid.empty() && info.uuid == *filter_.vm)) return true;
    }
    return parse_unsigned(*filter_.vm) == std::uint64_t{vm};
  });
}

bool EventMatcher::matches_process(const trace::Context& context, const Event& event) {
  if (!event.knows_process()) return *filter_.process == "-";
  return remembered(processes_, event.process, [&] {
    if (event.process >= context.processes.size()) return false;
    const trace::GuestProcess& process = context.processes[event.process];
    return process.comm == *filter_.process || parse_signed(*filter_.process) == process.pid;
  });
}

bool EventMatcher::matches_device(const model::Device* device, model::DeviceIndex index) {
  if (device == nullptr) return false;
  return remembered(devices_, index, [&] { return is_called(*device, *filter_.device); });
}

}  // namespace iovm::analyze
