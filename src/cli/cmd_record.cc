// SPDX-License-Identifier: Apache-2.0
//
// iovm record: names VMs, opens a live source on them, writes what comes to a trace file until
// something ends it. Everything that is said goes to standard error; standard output may be the
// trace.
#include <cstdio>
#include <ctime>
#include <optional>
#include <string>
#include <vector>

#include "analyze/file_facts.h"
#include "base/clock.h"
#include "base/format.h"
#include "base/sha256.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/progress_line.h"
#include "cli/say.h"
#include "cli/stop_signals.h"
#include "record/live.h"
#include "record/record_session.h"
#include "trace/writer.h"

namespace iovm::cli {
namespace {

struct RecordOptions {
  std::vector<std::string> vms;
  std::optional<std::string> output;
  std::string source = "auto";
  std::optional<std::chrono::nanoseconds> duration;
  std::optional<std::uint64_t> max_events;
  std::optional<std::uint64_t> max_loss;
  std::uint64_t buffer = 8U << 20;
  std::string resolution = "1ns";
  bool wait = false;
  bool quiet = false;
};

constexpr Say say{"iovm record"};

void declare(CommandLine& line, RecordOptions& options) {
  line.option("--vm", options.vms, "NAME|UUID|PID",
              "a VM to record, or all; may be given several times")
      .required();
  line.option("-o,--output", options.output, "FILE",
              "the trace, or - (default: NAME-DATE-TIME.iovm)");
  line.choice("--source", options.source, {"auto", "perf", "bpf", "kmod"},
              "where the events come from");
  line.duration("--duration", options.duration, "stop after this time");
  line.option("--max-events", options.max_events, "N", "stop after so many events");
  line.option("--max-loss", options.max_loss, "N",
              "end with code 5 if more than N events are lost");
  line.flag("--wait", options.wait, "wait for VMs that do not run yet");
  line.size("--buffer", options.buffer, "kernel buffer of each CPU (8M)");
  line.choice("--time-resolution", options.resolution, {"1ns", "1us"},
              "of the times in the trace; 1us makes it smaller");
  line.flag("-q,--quiet", options.quiet, "print nothing but errors");
}

record::LiveRequest request_of(const RecordOptions& options) {
  record::LiveRequest request;
  request.vms = options.vms;
  request.wait = options.wait;
  request.buffer = options.buffer;
  if (options.source == "perf") request.engine = record::Engine::perf;
  if (options.source == "bpf") request.engine = record::Engine::bpf;
  if (options.source == "kmod") request.engine = record::Engine::kmod;
  return request;
}

// NAME-20260131-120000.iovm, in UTC. The name is the VMM's word: only harmless characters stay.
std::string default_output(const std::vector<std::string>& wanted,
                           const std::vector<trace::VmInfo>& vms) {
  std::string name = wanted.size() > 1 ? "vms" : wanted.front();
  if (wanted.size() == 1 && vms.size() == 1 && !vms.front().name.empty()) name = vms.front().name;
  if (name.size() > 64) name.resize(64);
  for (char& c : name) {
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                 c == '_' || c == '-' || c == '.';
    if (!plain) c = '_';
  }
  if (name.empty() || name.front() == '-' || name.front() == '.') name.insert(0, 1, '_');
  std::time_t now = std::time(nullptr);
  std::tm utc = {};
  ::gmtime_r(&now, &utc);
  return format("{}-{:04}{:02}{:02}-{:02}{:02}{:02}.iovm", name, utc.tm_year + 1900, utc.tm_mon + 1,
                utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

std::string vm_names(const std::vector<trace::VmInfo>& vms) {
  constexpr std::size_t kMost = 8;
  std::string names;
  for (std::size_t i = 0; i < vms.size() && i < kMost; ++i) {
    std::string name =
        vms[i].name.empty() ? format("pid {}", vms[i].pid) : escape_terminal(vms[i].name);
    names += (i == 0 ? "" : ", ") + name;
  }
  if (vms.size() > kMost) names += format(" and {} more", vms.size() - kMost);
  return names;
}

void say_start(const record::LiveSource& source, const std::vector<record::PassedOver>& passed_over,
               const std::string& path) {
  const auto& vms = source.context().vms;
  say(format("source {}", name_of(source.engine())));
  for (const auto& better : passed_over) {
    say(format("not {}, which gives more: {}", name_of(better.engine), better.why));
  }
  for (const auto& [name, text] : source.context().info.notes)
    say(format("{}: {}", escape_terminal(name), text));
  std::string what = vms.empty() ? std::string("waiting for a VM") : "recording " + vm_names(vms);
  say(format("{} to {}; Ctrl-C ends it", what, path == "-" ? "standard output" : path));
}

std::string progress_text(const record::Progress& progress) {
  return format("{}, {} events, {} lost, {}, {}", describe_duration(progress.elapsed),
                progress.events, progress.lost.all(), describe_size(progress.bytes),
                counted(progress.running, "VM"));
}

void say_summary(const trace::WriterStats& written, const record::CaptureStats& capture) {
  if (capture.late > 0) {
    say(
        format("{} events came out of their CPU so late that their times were raised to keep the "
               "order",
               capture.late));
  }
  if (written.chain_end) say(format("chain {}", hex_text(*written.chain_end)));
  std::string line = analyze::describe_totals(written.events, written.lost) + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
}

Status check_loss(const RecordOptions& options, const trace::LossTotals& lost) {
  if (!options.max_loss || lost.all() <= *options.max_loss) return {};
  return Error(Fault::loss,
               format("{} events were lost, more than --max-loss {} (a larger --buffer helps "
                      "against losses of the ring)",
                      lost.all(), *options.max_loss));
}

Result<record::EndReason> record_all(const RecordOptions& options, record::LiveSource& source,
                                     const record::StopFlag& stop, trace::TraceWriter& writer) {
  record::RecordSession session(source, stop, writer, {options.duration, options.max_events});
  ProgressLine progress("iovm record");
  return session.run([&](const record::Progress& now) {
    if (!options.quiet) progress.show(progress_text(now));
  });
}

Result<ExitStatus> run_record(CommandLine& line) {
  RecordOptions options;
  declare(line, options);
  if (auto end = line.parse()) return *end;

  auto stop = record::StopFlag::create();
  if (!stop) return std::move(stop).error();
  auto signals = StopSignals::create([&stop] { stop->stop(); });
  if (!signals) return std::move(signals).error();
  std::vector<record::PassedOver> passed_over;
  auto source = record::open_live(request_of(options), *stop, &passed_over);
  if (!source) return std::move(source).error();

  std::string path =
      options.output ? *options.output : default_output(options.vms, (*source)->context().vms);
  trace::WriterOptions writing;
  writing.time_resolution_ns = options.resolution == "1us" ? 1000 : 1;
  writing.flush_after = std::chrono::milliseconds(400);  // a killed recorder loses less than 1 s
  auto writer = trace::TraceWriter::create(path, (*source)->context().info, writing);
  if (!writer) return std::move(writer).error();
  if (!options.quiet) say_start(**source, passed_over, path);

  auto reason = record_all(options, **source, *stop, **writer);
  if (reason && !options.quiet) {
    say(format("{}; {} in {}", describe(*reason), describe_size((*writer)->stats().bytes),
               path == "-" ? "standard output" : path));
  }
  if (!options.quiet) say_summary((*writer)->stats(), (*source)->stats());
  if (!reason) return std::move(reason).error();
  if (auto kept = check_loss(options, (*writer)->stats().lost); !kept) {
    return std::move(kept).error();
  }
  return ExitStatus::done;
}

}  // namespace

const Command kRecord{"record", "record the device I/O of running virtual machines", run_record};

}  // namespace iovm::cli
