// SPDX-License-Identifier: Apache-2.0
#include "analyze/cut_source.h"

namespace iovm::analyze {

CutSource::CutSource(trace::EventSource& whole, CutWishes wishes)
    : whole_(whole),
      wishes_(std::move(wishes)),
      matcher_(wishes_.filter),
      redaction_(wishes_.redact),
      context_(&whole.context()) {}

// What the whole says about itself is known with its first events.
void CutSource::begin() {
  trace::TraceInfo info = whole_.context().info;
  std::string whole_id = trace::id_text(info.id);
  info.id = trace::random_id();
  labels_.emplace(info);
  join_.emplace(std::move(info));
  trace::TraceInfo& redacted = redaction_.info(join_->context().info);
  redacted.notes.emplace_back("cut of", std::move(whole_id));
  if (!wishes_.filter_text.empty()) redacted.notes.emplace_back("cut", wishes_.filter_text);
  if (wishes_.keep_layout) redacted.notes.emplace_back("cut", "--keep-layout");
  if (wishes_.redact.any()) redacted.notes.emplace_back("redacted", wishes_.redaction_text);
  context_ = &redaction_.context(join_->context());
}

Result<std::span<const trace::Event>> CutSource::next() {
  batch_.clear();
  while (batch_.empty()) {
    auto events = whole_.next();
    if (!events) return events;
    if (!join_) begin();
    if (events->empty() || matcher_.is_over(number_)) break;
    if (auto taken = take(*events); !taken) return std::move(taken).error();
  }
  if (join_) context_ = &redaction_.context(join_->context());
  return std::span<const trace::Event>(batch_);
}

Status CutSource::take(std::span<const trace::Event> events) {
  const trace::Context& context = whole_.context();
  for (const trace::Event& event : events) {
    EventLabel label = labels_->see(context, event);
    bool wanted = matcher_.matches(context, number_, event, label.device, label.index);
    ++number_;
    if (!wanted && !(wishes_.keep_layout && label.value_use == model::ValueUse::layout)) continue;
    trace::Event shown = redaction_.event(event, label.value_use);
    std::size_t vms = join_->context().vms.size();
    if (auto added = join_->add(0, context, shown, batch_); !added) return added;
    std::uint16_t vm = batch_.back().vm;
    if (vm != trace::kAllVms && vm >= vms && !wishes_.redact.all_values)
      join_->vm(vm).pci = labels_->layout(context, event.vm);
  }
  return {};
}

}  // namespace iovm::analyze
