// SPDX-License-Identifier: Apache-2.0
#include "detect/rule_watch.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "detect/rule_alert.h"
#include "detect/rule_match.h"

namespace iovm::detect {
namespace {

using trace::Event;
using trace::Field;

constexpr std::size_t kMostOpen = 1024;

std::uint32_t elements_of(const Event& event) {
  return event.has(Field::count) && event.count > 1 ? event.count : 1;
}

// A process by its index, else by its page tables: those of kernel and user space are one pair.
std::uint64_t process_key(const Event& event) {
  constexpr std::uint64_t kPageTable = 0x000fffffffffe000;
  constexpr std::uint64_t kKnown = std::uint64_t{1} << 47;
  return event.knows_process() ? kKnown | event.process : (event.cr3 & kPageTable) >> 12;
}

std::uint64_t key_of(Per per, const Event& event, model::DeviceIndex device) {
  std::uint64_t vm = static_cast<std::uint64_t>(event.vm) << 48;
  switch (per) {
    case Per::device:
      return vm | device;
    case Per::process:
      return vm | process_key(event);
    case Per::vcpu:
      return vm | event.vcpu;
    case Per::vm:
      break;
  }
  return vm;
}

Mark mark_of(std::uint64_t number, const Event& e, model::Symbol symbol) {
  return {number, e.time, e.value, e.rip, e.cr3, e.address, symbol, e.process, e.present};
}

}  // namespace

RuleWatch::RuleWatch(std::shared_ptr<const RuleSet> rules, std::string trace, bool model,
                     AlertSink& sink)
    : rules_(std::move(rules)),
      trace_(std::move(trace)),
      model_(model),
      sink_(sink),
      asking_(*rules_, model),
      attempts_(*rules_),
      tracks_(rules_->rules.size()) {
  know(rules_);
}

void RuleWatch::know(std::shared_ptr<const RuleSet> rules) {
  if (std::ranges::count(known_, rules) != 0) return;
  known_.push_back(std::move(rules));
  if (known_.size() > kMostKnown) known_.pop_front();
}

Status RuleWatch::replace(const trace::Context& context, std::shared_ptr<const RuleSet> rules) {
  if (auto ok = finish(context); !ok) return ok;
  rules_ = std::move(rules);
  know(rules_);
  asking_ = RuleAsking(*rules_, model_);
  attempts_ = RuleAttempts(*rules_);
  tracks_ = std::vector<Tracks>(rules_->rules.size());
  return {};
}

Status RuleWatch::look(const Sight& s) {
  if (s.event.time >= next_close_) {
    if (auto ok = close_quiet(s.context, s.event.time); !ok) return ok;
  }
  const Rule* stopper = nullptr;
  if (s.event.stopped_by != 0) {
    if (auto ok = tell_stop(s, stopper); !ok) return ok;
  }
  for (const Asking& a : asking_.of(s.event, s.token, s.tokenizer.alphabet())) {
    if ((a.interest & attempts_.on(s.token.device)) == 0) continue;
    if (stopper != nullptr && rules_->rules[a.rule].id == stopper->id) continue;
    std::uint32_t patterns = meant(rules_->rules[a.rule], a, s);
    if (patterns == 0) continue;
    if (auto ok = advance(a.rule, patterns, s); !ok) return ok;
  }
  return {};
}

// Of the patterns that ask for the symbol, those that mean this very event.
std::uint32_t RuleWatch::meant(const Rule& rule, const Asking& asking, const Sight& s) const {
  std::uint32_t out = 0;
  for (std::uint32_t rest = asking.patterns; rest != 0; rest &= rest - 1) {
    const AccessPattern& pattern = rule.patterns[static_cast<std::size_t>(std::countr_zero(rest))];
    std::uint32_t bit = rest & (~rest + 1);
    if (pattern.stray && !is_stray(s.event)) continue;
    if (matches(pattern, s.event, (asking.selected & bit) != 0)) out |= bit;
  }
  return out;
}

bool RuleWatch::is_stray(const Event& event) const {
  // Where Linux maps the services of UEFI, which the kernel calls.
  constexpr std::uint64_t kUefi = 0xffffffef00000000, kUefiEnd = 0xffffffff00000000;
  bool uefi = event.rip >= kUefi && event.rip < kUefiEnd;
  return !uefi && kernel_[event.vm % kernel_.size()] >= kLinuxFrom;
}

Status RuleWatch::advance(std::uint32_t index, std::uint32_t patterns, const Sight& s) {
  const Rule& rule = rules_->rules[index];
  Tracks& tracks = tracks_[index];
  const Event& e = s.event;
  std::uint64_t key = key_of(rule.per, e, s.token.device);
  std::uint32_t era = eras_[e.vm % eras_.size()];
  if ((patterns & rule.steps.front().want) == 0) {
    const Track* track = tracks.find(key, era);
    if (track == nullptr || !track->waiting()) return {};
  }
  Mark mark = mark_of(s.number, e, s.token.symbol);
  Track& track = tracks.at(rule, key, era);
  bool waited = track.waiting();
  auto marks = track.see(rule, patterns, elements_of(e), mark);
  if (!waited && track.waiting()) attempts_.began(rule, index, s.token.device);
  if (waited && !track.waiting()) attempts_.ended(rule, index, s.token.device);
  return marks.empty() ? Status() : hit(index, key, marks, s);
}

void RuleWatch::loss(const Event& event) {
  trace::Loss loss = trace::loss_of(event);
  lost_ += std::max<std::uint64_t>(loss.count, 1);
  if (event.vm == trace::kAllVms) {
    for (std::uint32_t& era : eras_) ++era;
  } else {
    ++eras_[event.vm % eras_.size()];
  }
}

Status RuleWatch::hit(std::uint32_t index, std::uint64_t key, std::span<const Mark> marks,
                      const Sight& s) {
  auto at = open_.find({index, key});
  if (at != open_.end()) {
    at->second.again(accesses_of(rules_->rules[index]), marks, s.event.time);
    return {};
  }
  if (open_.size() >= kMostOpen) {
    if (auto ok = close_quiet(s.context, kNever); !ok) return ok;
  }
  const Rule& rule = rules_->rules[index];
  RuleEpisode episode(alert_of(rule, *rules_, marks, s));
  episode.tell_actors(s.context);
  const Alert& alert = episode.alert();
  next_close_ = std::min(next_close_, episode.over_at());
  ++alerts_;
  auto ok = sink_.opened(alert);
  open_.emplace(std::pair(index, key), std::move(episode));
  return ok;
}

Alert RuleWatch::alert_of(const Rule& rule, const RuleSet& set, std::span<const Mark> marks,
                          const Sight& s) const {
  Alert alert = rule_alert(rule, set, marks, s.tokenizer.alphabet());
  alert.stream = stream(rule.per, s);
  alert.id = rule_alert_id(alert);
  alert.utc_offset_ns = s.context.info.utc_offset_ns;
  alert.lost = lost_;
  return alert;
}

// An alert whatever else is open: each time somebody has to let the VM go on. `by` is the rule.
Status RuleWatch::tell_stop(const Sight& s, const Rule*& by) {
  auto set = std::ranges::find_if(
      known_, [&](const auto& known) { return known->numbered(s.event.stopped_by) != nullptr; });
  if (set == known_.end()) return {};
  by = (*set)->numbered(s.event.stopped_by);
  Mark mark = mark_of(s.number, s.event, s.token.symbol);
  RuleEpisode episode(alert_of(*by, **set, std::span(&mark, 1), s));
  episode.alert().stop = Stop::in_exit;
  episode.tell_actors(s.context);
  ++alerts_;
  if (auto ok = sink_.opened(episode.alert()); !ok) return ok;
  return sink_.closed(episode.alert());
}

StreamName RuleWatch::stream(Per per, const Sight& s) const {
  StreamName out;
  out.trace = trace_;
  out.trace_id = trace::id_text(s.context.info.id);
  out.vm = s.event.vm;
  if (out.vm < s.context.vms.size()) {
    out.vm_name = s.context.vms[out.vm].name;
    out.vmm_pid = s.context.vms[out.vm].pid;
  }
  if (per == Per::device) out.device = s.tokenizer.devices()[s.token.device];
  if (per == Per::process) out.process = s.event.process;
  if (per == Per::vcpu) out.vcpu = s.event.vcpu;
  return out;
}

// Closes what has been quiet long enough; all of it, for kNever.
Status RuleWatch::close_quiet(const trace::Context& context, std::uint64_t now) {
  next_close_ = kNever;
  for (auto it = open_.begin(); it != open_.end();) {
    std::uint64_t over = it->second.over_at();
    if (now < over) {
      next_close_ = std::min(next_close_, over);
      ++it;
      continue;
    }
    RuleEpisode episode = std::move(it->second);
    it = open_.erase(it);
    episode.alert().lost = lost_;
    episode.tell_actors(context);
    if (auto ok = sink_.closed(episode.alert()); !ok) return ok;
  }
  return {};
}

Status RuleWatch::finish(const trace::Context& context) {
  return close_quiet(context, kNever);
}

Status RuleRun::feed(const trace::Context& context, std::span<const Event> events) {
  tokenizer_.know(context.vms);
  for (const Event& event : events) {
    if (event.kind == trace::EventKind::loss) {
      lost_.add(trace::loss_of(event));
      tokenizer_.lost(event);
      watch_.loss(event);
    } else {
      ++events_;
      model::Token token;
      tokenizer_.tokenize(event, token);
      if (auto ok = watch_.see(context, number_, event, token, tokenizer_); !ok) return ok;
    }
    ++number_;
  }
  return {};
}

Status run(trace::EventSource& source, RuleRun& rules) {
  for (;;) {
    auto batch = source.next();
    if (!batch) return std::move(batch).error();
    if (source.context().info.source == "sequences") {
      return input_error(
          "number sequences are no device I/O: rules have nothing to say of them (name a model: "
          "-m MODEL)");
    }
    if (batch->empty()) return rules.finish(source.context());
    if (auto ok = rules.feed(source.context(), *batch); !ok) return ok;
  }
}

}  // namespace iovm::detect
