// SPDX-License-Identifier: Apache-2.0
//
// What `iovm explain` says, as plain data: nothing here knows how it will look. It is built from
// alerts as `iovm detect --json` prints them, whether they come from a file or from a detector that
// ran just now: one way in, so that both tell the same story. The recording itself, where it is at
// hand, adds the evidence: raw events around each abnormal step, address spaces, losses nearby.
//
// Texts are as the guest and the files had them: the renderers escape. Renderers are pure functions
// of a Report; another form is another function.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analyze/file_facts.h"
#include "analyze/nearest.h"
#include "analyze/overview.h"
#include "base/json.h"
#include "base/result.h"

namespace iovm::analyze {

// What training saw in a step's place.
struct ReportExpected {
  std::string text;
  double probability = 0;
  std::uint64_t count = 0;
};

struct ReportStep {
  std::uint64_t event = 0;
  std::uint64_t time = 0;
  std::string text;     // "floppy controller: write 0x8e to data FIFO (0x3f5)"
  std::string novelty;  // detect's word: "unknown-access", ...
  double bits = 0;
  double probability = 0;
  std::string rip;                   // "0x401000"; empty: not recorded
  std::vector<std::string> context;  // the steps before it, oldest first
  std::uint64_t context_count = 0;
  std::vector<ReportExpected> expected;
};

struct ReportActor {
  std::optional<std::int64_t> pid;
  std::optional<std::int64_t> tgid;
  std::string comm;
  std::string kind;
  std::string confidence;
  std::string how;
  std::string unknown;  // why nobody knows; then the above are empty
  std::uint64_t events = 0;
};

// An event of the recording near a step.
struct RawEvent {
  std::uint64_t number = 0;
  std::uint64_t time = 0;
  std::string text;  // as `iovm dump` prints it, safe on a terminal
  bool is_step = false;
  std::uint64_t offset = 0;  // where its block begins in the trace file
};

struct Evidence {
  std::uint64_t start = 0;  // time of the recording's first event
  std::vector<RawEvent> events;
  std::vector<std::string> step_processes;    // who did the steps: "dd:153", safe on a terminal
  std::vector<std::uint64_t> address_spaces;  // CR3 of the steps, most frequent kMost at most
  std::uint64_t losses_near = 0;              // loss events within kNear events
  std::uint64_t lost_near = 0;                // events lost there
  static constexpr std::uint64_t kNear = 200;
};

// The rule that an alert of a known attack is of.
struct ReportRule {
  std::string id;
  std::string about;
  std::vector<std::string> references;
  std::uint64_t hits = 0;
};

// Of MITRE ATT&CK.
struct ReportTechnique {
  std::string id;  // "T1611", "T1499.004"
  std::string name;
  std::string tactic;  // where it is known
};

struct ReportAlert {
  std::string id;
  std::string kind;  // detect's word: "window", "code", "session", "rule", ...
  std::string
      incident;      // id of the first alert of those that belong together; empty: not looked at
  std::string rule;  // in words
  std::string timestamp;
  int severity = 0;
  std::string trace;
  std::string trace_id;
  std::string vm;
  std::string device;      // of the stream, if it is one device's
  std::string device_key;  // "fdc", "8086:100e"
  std::optional<std::uint64_t> vcpu;
  std::vector<ReportActor> actors;
  std::optional<ReportRule> known;  // as
  std::optional<ReportTechnique> technique;
  std::string stopped;  // how the VM was: detect's word; empty: it was not
  std::string resume;   // what lets it go on
  std::string code;     // from where a device was driven, if that is odd
  std::string volume;   // what there was far too much of, if anything
  double score = 0;
  double threshold = 0;
  double p_value = 1;
  std::uint64_t first_event = 0;
  std::uint64_t last_event = 0;
  std::uint64_t alarm_event = 0;
  std::uint64_t first_time = 0;
  std::uint64_t last_time = 0;
  std::uint64_t events = 0;
  std::uint64_t lost = 0;
  std::vector<std::string> sequence;
  std::vector<std::string> sequence_names;  // the same, by their short names
  std::vector<ReportStep> steps;
  std::optional<Evidence> evidence;
  std::string no_evidence;               // why there is none
  std::optional<NearestNormal> nearest;  // where a model is at hand
};

// A file that the report was made from.
struct ReportFile {
  std::string role;  // "trace", "model", "alerts"
  std::string path;
  std::uint64_t bytes = 0;
  std::string sha256;
};

struct Report {
  std::string path;
  std::vector<ReportAlert> alerts;
  std::uint64_t left_out = 0;           // alerts beyond kMostAlerts
  std::uint64_t elsewhere = 0;          // alerts that do not meet the filter
  std::optional<TraceFacts> recording;  // of the trace explained; nothing for alerts from a file
  std::optional<std::string> model;     // the model's path
  std::vector<trace::Damage> damage;    // of the trace explained
  std::optional<Overview> overview;     // of the trace
  std::optional<ModelFacts> learned;    // about the model, without its counts
  std::vector<ReportFile> files;
  std::vector<std::string> options;  // how it was asked for: the words of the command
  std::string focus;                 // what alone was asked for, in words; empty: all
  static constexpr std::size_t kMostAlerts = 10'000;
};

// One line of detect's JSON. A closed alert takes the place of the same one when it was opened.
Status add_alert(std::string_view json, Report& report);
// All lines of a file; "-" is standard input. Errors name the line.
Status add_alerts_file(const std::string& path, Report& report);
// Leaves the alerts that meet the filter: that lie in its time, in which its process acted, on its
// device. A time after the start needs a recording that has one.
Status keep_matching(const EventFilter& filter, Report& report);
// Reads the recording at `path` once and gives every alert that came from it its evidence.
Status add_evidence(const std::string& path, Report& report);

// Holds the first alerts against the sequences that training counted.
void add_nearest(const model::ModelData& data, Report& report);

// What a file is, for the report; nothing for a pipe. A failure is the caller's to judge.
Status add_file(std::string_view role, const std::string& path, Report& report);

// How many incidents the alerts are; 0: nobody has looked.
std::size_t incidents_in(const Report& report);
// All of it in one sentence.
std::string verdict(const Report& report);
// Why there is none to tell, a line without its end.
std::string no_alerts(const Report& report);
// What the recording cannot show, each in one sentence; the recording must be known.
std::vector<std::string> blind_spots(const Report& report);
// What keeps the VM from going on, in one sentence; empty where it was not stopped.
std::string stop_sentence(const ReportAlert& alert);
// The score beside the threshold, in the unit that it has; empty where there is none.
std::string score_sentence(const ReportAlert& alert);
// "T1611 Escape to Host (Privilege Escalation)"
std::string technique_text(const ReportTechnique& technique);
// Why a step is odd, in words.
std::string_view novelty_text(const ReportStep& step);
// An operation without the name of its device, if that is the one being talked about.
std::string short_text(const std::string& text, std::string_view device);
// "floppy controller" of "floppy controller: read ...".
std::string_view device_of(std::string_view text);
// Whether two steps are odd in the same way: then the second is told as a repetition.
bool is_like(const ReportStep& a, const ReportStep& b);
// "+3.472627 s" after the recording's start, where that is known.
std::string time_text(const ReportAlert& alert, std::uint64_t time);
// "1.2e-05" or "0.53": as much as one wants to read.
std::string probability_text(double probability);
std::string times_text(std::uint64_t count);  // "once", "3 times"

std::string render_text(const Report& report);
std::string render_json(const Report& report);
// A page that stands by itself: no request leaves it, and without its script it still tells all.
std::string render_html(const Report& report);

}  // namespace iovm::analyze
