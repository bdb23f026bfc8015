// SPDX-License-Identifier: Apache-2.0
//
// An Alert: one episode of one stream in which the guest did what the model holds for abnormal,
// with the reasons, recorded while deciding. explain and the sinks only tell what stands here;
// nobody scores anything again.
//
// It is plain data that outlives the model, the tokenizer and the trace. Names in it are raw bytes
// from the guest or the file: renderers escape them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "detect/code_finding.h"
#include "detect/rule.h"
#include "model/streams.h"
#include "model/symbol.h"
#include "model/volume.h"
#include "trace/context.h"
#include "trace/event.h"

namespace iovm::detect {

// What made the alarm. An episode has the strongest of those that came together.
enum class AlertKind : std::uint8_t {
  window,        // the scores over a window of events
  unseen,        // several accesses that training never saw, close together
  volume,        // the work of a minute, by how much more it is than training ever saw
  session,       // a whole session, by its mean score and its set of operations
  other_kernel,  // the guest's kernel is not that of training: once in a boot
  code,          // several accesses by kernel code that training never saw drive that device
  user_space,    // device I/O by code outside the guest's kernel, which training never saw there
  rule,          // the steps of a known attack
};
// "window", "unseen", "volume", "session", "other-kernel", "code", "user-space", "rule"
std::string_view name_of(AlertKind kind);

// What keeps the VM from going on since the alarm.
enum class Stop : std::uint8_t {
  none,
  monitor,  // the VMM was told to, by its monitor (QMP); what it answered nobody waited for
  signal,   // SIGSTOP to the VMM
  in_exit,  // SIGSTOP in the exit of the write, which the VMM has not seen
};
// "none", "monitor", "signal", "in-exit"
std::string_view name_of(Stop stop);

// Whose stream it is. What the stream is not divided by, is not set.
struct StreamName {
  std::string trace;  // the path, or "live"
  std::string trace_id;
  std::uint16_t vm = 0;  // index in the trace's Context
  std::string vm_name;
  std::int64_t vmm_pid = -1;             // on the host; -1 unknown
  std::optional<std::uint32_t> process;  // index in Context::processes, or trace::Unknown
  std::optional<std::uint16_t> vcpu;
  std::optional<model::Device> device;
};

// Why a step is surprising, the strongest reason that holds.
enum class Novelty : std::uint8_t {
  none,            // seen after these very steps in training; only rare
  unknown_code,    // done by code that training never saw drive that device
  new_sequence,    // known operations in an order that training never showed
  unknown_value,   // a known access with a value or index never seen with it
  unknown_size,    // a known register, read or written in a width never seen there
  unknown_access,  // a device known from training, a register never seen on it, or never so used
  unknown_device,  // a device that training never saw
  matched,         // not surprising: a step of a rule
};

// What training would have expected in a step's place.
struct Expected {
  model::Operation operation;
  double probability = 0;
  std::uint64_t count = 0;  // in training, after the same context
};

// One surprising step.
struct Step {
  std::uint64_t event = 0;  // its number: the position in the recording, from 0, losses counted too
  std::uint64_t time = 0;   // ns, as the event has it
  model::Operation operation;
  std::uint32_t process = 0;  // as the event has it
  std::uint64_t rip = 0;      // 0 absent
  std::uint64_t cr3 = 0;      // the address space; 0 absent
  double bits = 0;            // -log2 of the model's probability
  double probability = 0;
  Novelty novelty = Novelty::none;
  std::vector<model::Operation>
      context;                      // the steps before it that the model went by, oldest first
  std::uint64_t context_count = 0;  // how often training saw that context; 0 never
  std::vector<Expected> expected;   // most probable first, at most kMaxExpected
};
inline constexpr std::size_t kMaxSteps = 5;
inline constexpr std::size_t kMaxExpected = 3;

// An address space that acted in the episode, the one with the oddest steps first: a hint at the
// process where it is not known.
struct Space {
  std::uint64_t cr3 = 0;
  std::uint64_t events = 0;
};

// What there was more of than training ever saw, as it stood when the limit was passed.
struct Excess {
  model::Whose whose = model::Whose::device;  // one actor's work, or everybody's
  model::Quantity quantity = model::Quantity::accesses;
  std::uint64_t amount = 0;
  std::uint64_t usual = 0;  // what training holds for much in a minute
  std::uint64_t limit = 0;
  std::uint64_t duration_ns = 0;
  trace::ProcessKind actor = trace::ProcessKind::unknown;  // of one actor's work
};
// "26 disk writes over what was read just before, within 38s, by one process; training's busiest
// minutes had 0".
std::string describe(const Excess& excess);

// A process that acted in the episode, the one with the oddest steps first.
struct Actor {
  std::uint32_t process = 0;
  trace::GuestProcess info;  // empty where unknown
  std::uint64_t events = 0;
};
inline constexpr std::size_t kMaxActors = 8;

// The rule that an alert of kind `rule` is of.
struct RuleHit {
  std::string id;
  std::string title;
  Severity severity = Severity::medium;
  std::vector<std::string> references;
  Technique technique;
  std::string parent_technique;
  std::string attack_version;
  std::string about;
  std::uint64_t hits = 1;  // how often in the episode
};

struct Alert {
  std::string
      id;  // "<first 8 digits of the trace id>-<number of the first event>-<stream>"; stable
  // The first alert of those that belong together (detect/incidents.h); empty: not looked at.
  std::string incident;
  AlertKind kind = AlertKind::window;
  StreamName stream;
  // From the first to the last odd step (alarms less than 200 events of the stream apart are one).
  std::uint64_t first_event = 0;
  std::uint64_t last_event = 0;
  std::uint64_t first_time = 0;
  std::uint64_t last_time = 0;
  std::uint64_t alarm_event = 0;  // at which the threshold was passed
  std::uint64_t alarm_time = 0;
  std::uint64_t events = 0;  // of the stream in the episode
  // The largest windowed score, in bits; the session's; of a volume, how many times more
  // than usual, as its binary logarithm; of unknown code, how many of a window's accesses; of
  // another kernel, how many of its places.
  double score = 0;
  double threshold = 0;
  double p_value = 1;  // share of normal blocks that score as high, from the calibration
  std::optional<Excess> excess;
  std::optional<CodeFinding> code;
  // The most surprising ones, in the order of events; of a rule: first and last of each step.
  std::vector<Step> steps;
  std::optional<RuleHit> rule;
  std::vector<model::Operation> sequence;  // what happened around the alarm, oldest first
  std::vector<Actor> actors;
  std::vector<Space> spaces;       // at most kMaxActors
  std::uint64_t lost = 0;          // events lost so far in the recording
  std::int64_t utc_offset_ns = 0;  // of the recording: UTC minus the times above; 0 unknown
  Stop stop = Stop::none;
};

// The alert in one phrase: its strongest kind of step, "unknown access to a known device".
std::string_view rule_of(const Alert& alert);
// 21 low, 47 medium, 73 high, 99 critical, as security tools count.
int severity_of(const Alert& alert);
// What lets the VM go on, as one would type it; empty where it was not stopped.
std::string resume_of(const Alert& alert);

std::string_view name_of(Novelty novelty);  // "rare", "new-sequence", "unknown-value", ...

}  // namespace iovm::detect
