// SPDX-License-Identifier: Apache-2.0
//
// Runs rules over the events of a recording, next to the Detector or alone, and makes alerts of
// hits. What it costs: where no rule can make anything of an event, one look into a table (most
// events, detect/rule_asking.h); else one automaton per rule that can.
//
// An automaton has a place for each step of its rule, and one set of places for each device
// (process, vCPU, VM) that did something the rule asks for: at most kMaxTracks, the oldest goes
// first. A place holds one attempt, the latest that got there. A loss ends every attempt that it
// touches. So memory and time are bounded whatever a guest does.
//
// Hits of a rule on the same device less than kAftermathNs apart are one alert. But an event at
// which the source has stopped the VM (Event::stopped_by) is an alert of its own, each time.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "detect/alert.h"
#include "detect/alert_sink.h"
#include "detect/rule.h"
#include "detect/rule_alert.h"
#include "detect/rule_asking.h"
#include "detect/rule_track.h"
#include "model/tokenizer.h"
#include "trace/context.h"
#include "trace/source.h"

namespace iovm::detect {

class RuleWatch {
 public:
  // `trace` names the recording in alerts; `model`: a model looks at the same events.
  RuleWatch(std::shared_ptr<const RuleSet> rules, std::string trace, bool model, AlertSink& sink);

  // An event that is no loss, its number, and what the tokenizer made of it.
  Status see(const trace::Context& context, std::uint64_t number, const trace::Event& event,
             const model::Token& token, const model::Tokenizer& tokenizer) {
    return minds(event, token) ? look(context, number, event, token, tokenizer) : Status();
  }
  // The same in two steps, for loops that count nanoseconds: most events nobody minds.
  bool minds(const trace::Event& event, const model::Token& token) {
    if (token.code == model::CodeClass::kernel) kernel_acted(event.vm);
    bool somebody = (asking_.interest(token) & attempts_.on(token.device)) != 0;
    return somebody || event.time >= next_close_ || event.stopped_by != 0;
  }
  Status look(const trace::Context& context, std::uint64_t number, const trace::Event& event,
              const model::Token& token, const model::Tokenizer& tokenizer) {
    return look({context, number, event, token, tokenizer});
  }
  void loss(const trace::Event& event);
  // The end of the recording: open alerts are closed.
  Status finish(const trace::Context& context);

  // Rules that VMs may be stopped for, before they are those in force and after: a stop is told
  // whichever of them it was for. The last kMostKnown of them.
  void know(std::shared_ptr<const RuleSet> rules);
  // Other rules from now on; attempts begin anew.
  Status replace(const trace::Context& context, std::shared_ptr<const RuleSet> rules);

  std::uint64_t alerts() const { return alerts_; }

 private:
  // An event in hand.
  struct Sight {
    const trace::Context& context;
    std::uint64_t number;
    const trace::Event& event;
    const model::Token& token;
    const model::Tokenizer& tokenizer;
  };
  static constexpr std::uint64_t kNever = ~std::uint64_t{0};
  static constexpr std::uint16_t kLinuxFrom = 1000;  // accesses from kernel text

  void kernel_acted(std::uint16_t vm) {
    std::uint16_t& count = kernel_[vm % kernel_.size()];
    if (count < kLinuxFrom) ++count;
  }
  Status look(const Sight& sight);
  std::uint32_t meant(const Rule& rule, const Asking& asking, const Sight& sight) const;
  Status advance(std::uint32_t rule, std::uint32_t meant, const Sight& sight);
  Status hit(std::uint32_t rule, std::uint64_t key, std::span<const Mark> marks,
             const Sight& sight);
  Status tell_stop(const Sight& sight, const Rule*& by);
  Alert alert_of(const Rule& rule, const RuleSet& set, std::span<const Mark> marks,
                 const Sight& sight) const;
  bool is_stray(const trace::Event& event) const;
  StreamName stream(Per per, const Sight& sight) const;
  Status close_quiet(const trace::Context& context, std::uint64_t now);

  std::shared_ptr<const RuleSet> rules_;
  static constexpr std::size_t kMostKnown = 64;
  std::deque<std::shared_ptr<const RuleSet>> known_;
  std::string trace_;
  bool model_;
  AlertSink& sink_;
  RuleAsking asking_;
  RuleAttempts attempts_;
  std::vector<Tracks> tracks_;                   // by rule
  std::array<std::uint16_t, 4096> kernel_ = {};  // accesses from kernel text, by VM
  std::array<std::uint32_t, 4096> eras_ = {};    // losses, by VM
  std::map<std::pair<std::uint32_t, std::uint64_t>, RuleEpisode> open_;  // by rule and key
  std::uint64_t next_close_ = kNever;
  std::uint64_t lost_ = 0;
  std::uint64_t alerts_ = 0;
};

// Events through rules by themselves; `model`: one looks at the same events elsewhere.
class RuleRun {
 public:
  RuleRun(std::shared_ptr<const RuleSet> rules, std::string trace, AlertSink& sink,
          bool model = false)
      : watch_(std::move(rules), std::move(trace), model, sink) {}

  Status feed(const trace::Context& context, std::span<const trace::Event> events);
  Status finish(const trace::Context& context) { return watch_.finish(context); }
  RuleWatch& watch() { return watch_; }
  std::uint64_t events() const { return events_; }
  const trace::LossTotals& lost() const { return lost_; }

 private:
  model::Tokenizer tokenizer_;
  RuleWatch watch_;
  std::uint64_t number_ = 0;
  std::uint64_t events_ = 0;
  trace::LossTotals lost_;
};

// Runs a source to its end through the rules.
Status run(trace::EventSource& source, RuleRun& rules);

}  // namespace iovm::detect
