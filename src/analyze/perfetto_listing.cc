// SPDX-License-Identifier: Apache-2.0
#include "analyze/perfetto_listing.h"

#include <algorithm>

#include "analyze/event_json.h"
#include "analyze/put.h"
#include "base/format.h"
#include "base/text.h"

namespace iovm::analyze {
namespace {

using trace::Event;
using trace::EventKind;
using trace::Field;

constexpr std::uint64_t kRecording = 1;  // the group of what is no VM's
constexpr std::uint32_t kNoCpu = 0x10000;

// The groups of a VM: its vCPUs, its guest processes.
std::uint64_t cpu_group(std::uint16_t vm) {
  return 2 + 2 * std::uint64_t{vm};
}
std::uint64_t process_group(std::uint16_t vm) {
  return 3 + 2 * std::uint64_t{vm};
}

// Nanoseconds as the microseconds of the format: 1000252.125. The importer takes that for a double,
// multiplies by 1000 and cuts: where the next smaller nanosecond came of it, half of one is added.
void put_microseconds(std::uint64_t ns, std::string& out) {
  put_decimal(ns / 1000, out);
  std::uint64_t rest = ns % 1000;
  out += {'.', static_cast<char>('0' + rest / 100), static_cast<char>('0' + rest / 10 % 10),
          static_cast<char>('0' + rest % 10)};
  double read = static_cast<double>(ns) / 1000.0;
  if (static_cast<std::uint64_t>(read * 1000.0) < ns) out += '5';
}

void put_time(std::string_view name, std::uint64_t ns, std::string& out) {
  out += name;
  put_microseconds(ns, out);
}

std::string vm_title(const trace::Context& context, std::uint16_t vm) {
  if (vm < context.vms.size() && !context.vms[vm].name.empty())
    return escape_terminal(context.vms[vm].name);
  return format("VM {}", vm);
}

std::string process_title(const trace::GuestProcess& process) {
  std::string text = process_text(process);
  if (process.kind != trace::ProcessKind::user && process.kind != trace::ProcessKind::unknown)
    text += format(" ({})", trace::name_of(process.kind));
  return text.empty() ? "(without a name)" : text;
}

}  // namespace

void PerfettoListing::begin(const trace::Context& context, std::string& out) {
  const trace::TraceInfo& info = context.info;
  out += format("{{\"otherData\":{{\"tool\":{},\"trace_id\":\"{}\",\"source\":{},",
                json_string(info.tool), trace::id_text(info.id), json_string(info.source));
  out += format("\"utc_offset_ns\":\"{}\"}},\n\"traceEvents\":[", info.utc_offset_ns);
  name("process_name", kRecording, ++last_tid_, "recording", out);
}

// The beginning of an entry, up to its track.
void PerfettoListing::open_entry(std::string_view phase, std::uint64_t pid, std::uint64_t tid,
                                 std::string& out) {
  out += any_ ? ",\n" : "\n";
  any_ = true;
  out += phase;
  put_member(",\"pid\":", pid, out);
  put_member(",\"tid\":", tid, out);
}

void PerfettoListing::name(std::string_view what, std::uint64_t pid, std::uint64_t tid,
                           std::string_view text, std::string& out) {
  open_entry("{\"ph\":\"M\"", pid, tid, out);
  out += format(",\"name\":\"{}\",\"args\":{{\"name\":{}}}}}", what, json_string(text));
}

std::uint32_t PerfettoListing::cpu_track(const ListedEvent& listed, std::string& out) {
  const Event& event = listed.event;
  std::uint32_t cpu = event.has(Field::vcpu) ? event.vcpu : kNoCpu;
  std::uint32_t& tid = cpus_[{event.vm, cpu}];
  if (tid != 0) return tid;
  tid = ++last_tid_;
  std::uint64_t group = cpu_group(event.vm);
  if (named_vms_.size() <= event.vm) named_vms_.resize(event.vm + std::size_t{1});
  if (!named_vms_[event.vm]) {
    named_vms_[event.vm] = true;
    std::string title = vm_title(listed.context, event.vm);
    name("process_name", group, tid, title + ": vCPUs", out);
    name("process_name", process_group(event.vm), ++last_tid_, title + ": guest processes", out);
  }
  name("thread_name", group, tid, cpu == kNoCpu ? "vCPU unknown" : format("vCPU {}", cpu), out);
  return tid;
}

PerfettoListing::ProcessTrack& PerfettoListing::process_track(const ListedEvent& listed,
                                                              std::string& out) {
  std::uint32_t index = listed.event.process;
  if (processes_.size() <= index) processes_.resize(index + std::size_t{1});
  ProcessTrack& track = processes_[index];
  if (track.tid != 0) return track;
  const trace::GuestProcess& process = listed.context.processes[index];
  track.tid = ++last_tid_;
  track.vm = listed.event.vm;
  track.json = json_process(process);
  name("thread_name", process_group(track.vm), track.tid, process_title(process), out);
  return track;
}

void PerfettoListing::append(const ListedEvent& listed, std::string& out) {
  const Event& event = listed.event;
  first_time_ = any_event_ ? std::min(first_time_, event.time) : event.time;
  last_time_ = any_event_ ? std::max(last_time_, event.time) : event.time;
  any_event_ = true;
  if (event.kind == EventKind::loss) return put_loss(listed, out);
  std::uint32_t tid = cpu_track(listed, out);
  ProcessTrack* process = event.knows_process() ? &process_track(listed, out) : nullptr;
  if (process != nullptr) add_to_run(listed, *process, out);
  open_entry("{\"ph\":\"i\",\"s\":\"t\"", cpu_group(event.vm), tid, out);
  put_time(",\"ts\":", event.time, out);
  out += ",\"cat\":\"";
  out += trace::name_of(event.kind);
  out += "\",\"name\":\"";
  out += listed.label.key;
  out += event.direction == trace::Direction::write ? " write " : " read ";
  out += listed.label.reg;
  put_member("\",\"args\":{\"event\":", listed.number, out);
  put_json_access(event, out);
  if (process != nullptr) out += process->json;
  put_json_label(listed.label, out);
  out += "}}";
}

void PerfettoListing::add_to_run(const ListedEvent& listed, ProcessTrack& track, std::string& out) {
  const Event& event = listed.event;
  Run& run = track.run;
  bool pause = event.time > run.end && event.time - run.end > kPause;
  if (!run.device.empty() && (pause || run.device != listed.label.key)) close_run(track, out);
  if (run.device.empty()) {
    // A track's slices follow each other, even where the vCPUs' clocks are a little out of step.
    std::uint64_t start = std::max(event.time, run.end);
    run = {listed.label.key, listed.number, start, start, 0, 0};
  }
  run.end = std::max(run.end, event.time);
  (event.direction == trace::Direction::write ? run.writes : run.reads) += 1;
}

void PerfettoListing::close_run(ProcessTrack& track, std::string& out) {
  Run& run = track.run;
  if (run.device.empty()) return;
  open_entry("{\"ph\":\"X\"", process_group(track.vm), track.tid, out);
  put_time(",\"ts\":", run.start, out);
  put_time(",\"dur\":", run.end - run.start, out);
  out += ",\"cat\":\"run\",\"name\":\"";
  out += run.device;
  put_member("\",\"args\":{\"first_event\":", run.first_event, out);
  put_member(",\"reads\":", run.reads, out);
  put_member(",\"writes\":", run.writes, out);
  out += "}}";
  run = {{}, 0, 0, run.end, 0, 0};
}

void PerfettoListing::put_loss(const ListedEvent& listed, std::string& out) {
  const Event& event = listed.event;
  for (ProcessTrack& track : processes_) {
    if (event.vm == trace::kAllVms || event.vm == track.vm) close_run(track, out);
  }
  if (losses_tid_ == 0) {
    losses_tid_ = ++last_tid_;
    name("thread_name", kRecording, losses_tid_, "losses", out);
  }
  open_entry("{\"ph\":\"i\",\"s\":\"t\"", kRecording, losses_tid_, out);
  put_time(",\"ts\":", event.time, out);
  put_member(",\"cat\":\"loss\",\"name\":\"LOST\",\"args\":{\"event\":", listed.number, out);
  put_json_loss(event, out);
  if (event.vm < listed.context.vms.size())
    out += ",\"vm\":" + json_string(vm_title(listed.context, event.vm));
  if (event.has(Field::vcpu)) put_member(",\"vcpu\":", event.vcpu, out);
  out += "}}";
}

void PerfettoListing::put_alert(const AlertMark& mark, std::string& out) {
  const ReportAlert& alert = mark.alert;
  if (alerts_tid_ == 0) {
    alerts_tid_ = ++last_tid_;
    name("thread_name", kRecording, alerts_tid_, "alerts", out);
  }
  open_entry("{\"ph\":\"i\",\"s\":\"t\"", kRecording, alerts_tid_, out);
  put_time(",\"ts\":", mark.time, out);
  out += format(",\"cat\":\"alert\",\"name\":{},\"args\":{{\"id\":{},\"severity\":{}",
                json_string(alert.rule), json_string(alert.id), alert.severity);
  out += format(",\"vm\":{},\"device\":{},\"score\":\"{:.3f}\",\"threshold\":\"{:.3f}\"",
                json_string(alert.vm), json_string(alert.device), alert.score, alert.threshold);
  out += format(",\"first_event\":{},\"alarm_event\":{},\"last_event\":{}", alert.first_event,
                alert.alarm_event, alert.last_event);
  if (!alert.actors.empty()) {
    const ReportActor& actor = alert.actors.front();
    out += ",\"comm\":" + json_string(actor.comm);
    if (actor.pid) out += format(",\"guest_pid\":{}", *actor.pid);
  }
  if (!alert.steps.empty()) out += ",\"step\":" + json_string(alert.steps.front().text);
  out += "}}";
}

void PerfettoListing::end(const trace::Context&, std::string& out) {
  for (ProcessTrack& track : processes_) close_run(track, out);
  for (const AlertMark& mark : marks_) {
    if (any_event_ && mark.time >= first_time_ && mark.time <= last_time_) put_alert(mark, out);
  }
  out += "\n]}\n";
}

}  // namespace iovm::analyze
