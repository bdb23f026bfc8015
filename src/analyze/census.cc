// SPDX-License-Identifier: Apache-2.0
#include "analyze/census.h"

#include <algorithm>

namespace iovm::analyze {
namespace {

using trace::Event;
using trace::EventKind;

void count(ProcessCount& process, std::uint64_t time) {
  process.first_time = process.events == 0 ? time : std::min(process.first_time, time);
  process.last_time = std::max(process.last_time, time);
  ++process.events;
}

bool has_user_mark(const model::Operation& operation) {
  return operation.has(model::Mark::user);
}

}  // namespace

void Timeline::add(std::uint64_t time) {
  if (slices_.empty()) start_ = time;
  // A little out of order, as vCPUs can be: into the first slice.
  std::uint64_t after = time < start_ ? 0 : time - start_;
  while (after / slice_ns_ >= kMaxSlices) widen();
  std::size_t slice = static_cast<std::size_t>(after / slice_ns_);
  if (slices_.size() <= slice) slices_.resize(slice + 1);
  ++slices_[slice];
}

void Timeline::widen() {
  std::vector<std::uint64_t> wide((slices_.size() + 1) / 2);
  for (std::size_t i = 0; i < slices_.size(); ++i) wide[i / 2] += slices_[i];
  slices_ = std::move(wide);
  slice_ns_ *= 2;
}

CensusTaker::CensusTaker(const trace::TraceInfo& info, EventFilter filter)
    : tokenizer_(info.source == "sequences" ? model::Scheme::addresses : model::Scheme::devices),
      matcher_(std::move(filter)) {}

void CensusTaker::see(const trace::Context& context, std::span<const Event> events) {
  tokenizer_.know(context.vms);
  for (const Event& event : events) see_event(context, event);
}

void CensusTaker::see_event(const trace::Context& context, const Event& event) {
  bool access = event.kind != EventKind::loss;
  model::Token token;
  if (access) {
    token = tokenizer_(event);
  } else {
    tokenizer_.lost(event);
  }
  const model::Device* device = access ? &tokenizer_.devices()[token.device] : nullptr;
  if (!matcher_.matches(context, number_++, event, device, token.device)) return;
  census_.first_time = began_ ? std::min(census_.first_time, event.time) : event.time;
  census_.last_time = std::max(census_.last_time, event.time);
  began_ = true;
  ++census_.kinds[static_cast<std::size_t>(event.kind)];
  if (access) {
    see_access(event, token);
  } else {
    census_.lost.add(trace::loss_of(event));
  }
}

void CensusTaker::see_access(const Event& event, const model::Token& token) {
  ++census_.events;
  census_.timeline.add(event.time);
  if (census_.vms.size() <= event.vm) census_.vms.resize(event.vm + std::size_t{1});
  ++census_.vms[event.vm];
  see_process(event);
  if (census_.devices.size() <= token.device) census_.devices.resize(token.device + 1);
  DeviceCount& device = census_.devices[token.device];
  ++(event.direction == trace::Direction::write ? device.writes : device.reads);
  if (!model::is_unknown(token.symbol) &&
      has_user_mark(tokenizer_.alphabet().operation(token.symbol)))
    ++device.from_user_space;
}

void CensusTaker::see_process(const Event& event) {
  if (!event.knows_process()) {
    count(unknown_[event.process - trace::kFirstUnknown], event.time);
    return;
  }
  if (known_.size() <= event.process) known_.resize(event.process + std::size_t{1});
  count(known_[event.process], event.time);
}

Census CensusTaker::finish() {
  for (std::size_t i = 0; i < census_.devices.size(); ++i) {
    census_.devices[i].device = tokenizer_.devices()[i];
  }
  std::erase_if(census_.devices, [](const DeviceCount& device) { return device.events() == 0; });
  auto take = [this](ProcessCount process, std::size_t number) {
    process.process = static_cast<std::uint32_t>(number);
    if (process.events > 0) census_.processes.push_back(process);
  };
  for (std::size_t i = 0; i < known_.size(); ++i) take(known_[i], i);
  for (std::size_t i = 0; i < unknown_.size(); ++i) take(unknown_[i], trace::kFirstUnknown + i);
  auto more = [](const auto& a, const auto& b) { return a > b; };
  std::stable_sort(census_.devices.begin(), census_.devices.end(),
                   [more](const auto& a, const auto& b) { return more(a.events(), b.events()); });
  std::stable_sort(census_.processes.begin(), census_.processes.end(),
                   [more](const auto& a, const auto& b) { return more(a.events, b.events); });
  return std::move(census_);
}

}  // namespace iovm::analyze
