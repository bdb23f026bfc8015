// SPDX-License-Identifier: Apache-2.0
#include "analyze/compare.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "base/format.h"
#include "base/text.h"
#include "model/tokenizer.h"
#include "trace/reader.h"

namespace iovm::analyze {
namespace {

using Counts = std::map<std::string, std::uint64_t>;

// What one recording has, by name: the same thing has the same name in both.
struct Usage {
  ComparedSide side;
  Counts devices;
  Counts operations;
  Counts processes;
};

std::string process_name(const trace::Context& context, std::uint32_t process) {
  if (process >= context.processes.size())
    return format("unknown: {}", trace::name_of(static_cast<trace::Unknown>(process)));
  const trace::GuestProcess& known = context.processes[process];
  // Not its number, which differs from boot to boot.
  std::string kind = known.kind == trace::ProcessKind::unknown
                         ? std::string()
                         : format(" ({})", trace::name_of(known.kind));
  return known.comm + kind;
}

template <typename Number>
void count(std::vector<std::uint64_t>& counts, Number number) {
  if (counts.size() <= number) counts.resize(number + std::size_t{1});
  ++counts[number];
}

class UsageTaker {
 public:
  UsageTaker(const trace::TraceInfo& info, const EventFilter& filter)
      : tokenizer_(info.source == "sequences" ? model::Scheme::addresses : model::Scheme::devices),
        matcher_(filter) {}

  void see(const trace::Context& context, const trace::Event& event) {
    tokenizer_.know(context.vms);
    if (event.kind == trace::EventKind::loss) {
      tokenizer_.lost(event);
      lost_.add(trace::loss_of(event));
      ++number_;
      return;
    }
    model::Token token = tokenizer_(event);
    const model::Device& device = tokenizer_.devices()[token.device];
    if (!began_) first_ = last_ = event.time, began_ = true;
    last_ = std::max(last_, event.time);
    if (!matcher_.matches(context, number_++, event, &device, token.device)) return;
    ++events_;
    count(devices_, token.device);
    count(symbols_, token.symbol);
    if (event.knows_process()) {
      count(processes_, event.process);
    } else {
      ++unknown_[event.process];
    }
  }

  Usage finish(const trace::Context& context) const {
    Usage usage;
    usage.side.id = trace::id_text(context.info.id);
    for (const trace::VmInfo& vm : context.vms) usage.side.vms.push_back(vm.name);
    usage.side.events = events_;
    usage.side.lost = lost_.all();
    usage.side.duration_ns = last_ - first_;
    for (std::size_t i = 0; i < devices_.size(); ++i) {
      if (devices_[i] > 0) usage.devices[model::describe(tokenizer_.devices()[i])] += devices_[i];
    }
    for (std::size_t i = model::kFirstSymbol; i < symbols_.size(); ++i) {
      if (symbols_[i] == 0) continue;
      auto symbol = static_cast<model::Symbol>(i);
      usage.operations[model::describe(tokenizer_.alphabet().operation(symbol))] += symbols_[i];
    }
    for (std::size_t i = 0; i < processes_.size(); ++i) {
      auto process = static_cast<std::uint32_t>(i);
      if (processes_[i] > 0) usage.processes[process_name(context, process)] += processes_[i];
    }
    for (const auto& [process, events] : unknown_)
      usage.processes[process_name(context, process)] += events;
    return usage;
  }

 private:
  model::Tokenizer tokenizer_;
  EventMatcher matcher_;
  bool began_ = false;
  std::uint64_t number_ = 0;
  std::uint64_t events_ = 0;
  std::uint64_t first_ = 0;
  std::uint64_t last_ = 0;
  trace::LossTotals lost_;
  std::vector<std::uint64_t> devices_;
  std::vector<std::uint64_t> symbols_;
  std::vector<std::uint64_t> processes_;
  std::map<std::uint32_t, std::uint64_t> unknown_;
};

Result<Usage> usage_of(trace::EventSource& source, const EventFilter& filter) {
  auto batch = source.next();
  if (!batch) return std::move(batch).error();
  UsageTaker taker(source.context().info, filter);
  for (; batch && !batch->empty(); batch = source.next()) {
    for (const trace::Event& event : *batch) taker.see(source.context(), event);
  }
  if (!batch) return std::move(batch).error();
  return taker.finish(source.context());
}

double rate(std::uint64_t events, const ComparedSide& side) {
  double seconds = static_cast<double>(std::max<std::uint64_t>(side.duration_ns, 1)) / 1e9;
  return static_cast<double>(events) / seconds;
}

double factor(const Change& change) {
  return std::abs(std::log(change.rate_after / change.rate_before));
}

// Nothing for what stayed as it was.
std::optional<ChangeKind> kind_of(const Change& change) {
  if (change.before == 0) return ChangeKind::is_new;
  if (change.after == 0) return ChangeKind::gone;
  double deviation =
      std::sqrt(1 / static_cast<double>(change.before) + 1 / static_cast<double>(change.after));
  if (factor(change) < std::log(kFactor) || factor(change) < kDeviations * deviation)
    return std::nullopt;
  return change.rate_after > change.rate_before ? ChangeKind::more : ChangeKind::less;
}

bool comes_first(const Change& a, const Change& b) {
  auto group = [](const Change& c) { return std::min(c.kind, ChangeKind::more); };
  if (group(a) != group(b)) return group(a) < group(b);
  if (group(a) == ChangeKind::more) return factor(a) > factor(b);
  return std::max(a.before, a.after) > std::max(b.before, b.after);
}

ChangeList changes_of(const Counts& before, const Counts& after, const Usage& a, const Usage& b) {
  std::map<std::string, Change> all;
  for (const auto& [what, events] : before) all[what].before = events;
  for (const auto& [what, events] : after) all[what].after = events;
  ChangeList list;
  for (auto& [what, change] : all) {
    change.what = what;
    change.rate_before = rate(change.before, a.side);
    change.rate_after = rate(change.after, b.side);
    auto kind = kind_of(change);
    if (!kind) {
      ++list.same;
      continue;
    }
    change.kind = *kind;
    list.changes.push_back(change);
  }
  std::ranges::stable_sort(list.changes, comes_first);
  if (list.changes.size() > ChangeList::kMostChanges) {
    list.left_out = list.changes.size() - ChangeList::kMostChanges;
    list.changes.resize(ChangeList::kMostChanges);
  }
  return list;
}

}  // namespace

std::string_view name_of(ChangeKind kind) {
  switch (kind) {
    case ChangeKind::is_new:
      return "new";
    case ChangeKind::gone:
      return "gone";
    case ChangeKind::more:
      return "more";
    case ChangeKind::less:
      break;
  }
  return "less";
}

Result<Comparison> compare(trace::EventSource& before, trace::EventSource& after,
                           const EventFilter& filter) {
  auto a = usage_of(before, filter);
  if (!a) return std::move(a).error();
  auto b = usage_of(after, filter);
  if (!b) return std::move(b).error();
  Comparison out;
  out.before = a->side;
  out.after = b->side;
  out.devices = changes_of(a->devices, b->devices, *a, *b);
  out.operations = changes_of(a->operations, b->operations, *a, *b);
  out.processes = changes_of(a->processes, b->processes, *a, *b);
  return out;
}

Result<Comparison> compare(const std::string& before, const std::string& after,
                           const EventFilter& filter) {
  auto a = trace::TraceReader::open(before);
  if (!a) return std::move(a).error();
  auto b = trace::TraceReader::open(after);
  if (!b) return std::move(b).error();
  auto out = compare(**a, **b, filter);
  if (!out) return std::move(out).error();
  out->before.path = before;
  out->after.path = after;
  return out;
}

}  // namespace iovm::analyze
