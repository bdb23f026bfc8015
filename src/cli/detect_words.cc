// SPDX-License-Identifier: Apache-2.0
#include "cli/detect_words.h"

namespace iovm::cli {

void declare(CommandLine& line, DetectOptions& options) {
  line.option("-m,--model", options.model, "MODEL",
              "the model of normal work; without it, rules alone");
  line.option("--rules", options.rules, "FILE|DIR",
              "rules of known attacks, in addition to the built-in ones");
  line.flag("--no-builtin-rules", options.no_built_in_rules, "without the built-in rules");
  line.flag("--inline", options.stops,
            "with --live: stop the VMM at the writes of rules that are marked inline, before its "
            "devices see them (source bpf)");
  line.positional("TRACE", options.traces, "recordings to look at; - is standard input");
  line.optional();
  line.flag("--live", options.live, "look at running VMs instead of recordings");
  line.option("--vm", options.vms, "NAME|UUID|PID", "with --live: a VM, or all");
  line.choice("--source", options.source, {"auto", "perf", "bpf", "kmod"},
              "with --live: where the events come from");
  line.flag("--wait", options.wait, "with --live: wait for VMs that do not run yet");
  line.size("--buffer", options.buffer, "with --live: kernel buffer of each CPU (8M)");
  line.option("--on-alert", options.on_alert, "exec:CMD|pause|dump",
              "at an alert: run CMD with it on standard input; with --live also stop the VM "
              "(pause, pause:QMP-SOCKET), keep the events around it (dump, dump:DIR)");
  line.duration("--flight-recorder", options.flight_recorder,
                "with dump: how much from before and after the alert (30s)");
  line.flag("--json", options.json, "one alert (or score) a line, as JSON");
  line.flag("--scores", options.scores, "print the score of each stream instead of alerts");
  line.flag("--exit-code", options.exit_code, "end with code 1 if there were alerts");
  line.option("--max-loss", options.max_loss, "N",
              "end with code 5 if more than N events were lost");
  line.option("--threads", options.threads, "N",
              "recordings looked at at a time; as many as there are CPUs unless told");
  line.flag("-q,--quiet", options.quiet, "no summaries");
}

Status check_words(const DetectOptions& options) {
  if (options.threads && (*options.threads == 0 || *options.threads > 1024)) {
    return usage_error("--threads: from 1 to 1024");
  }
  if (!options.model && options.scores) return usage_error("--scores needs a model (-m MODEL)");
  if (!options.model && options.no_built_in_rules && options.rules.empty()) {
    return usage_error("neither a model (-m MODEL) nor rules (--rules FILE): nothing to look for");
  }
  if (options.stops && !options.live) return usage_error("--inline goes with --live");
  if (options.live) {
    if (!options.traces.empty()) return usage_error("--live and a TRACE: take one of them");
    if (options.vms.empty()) {
      return usage_error("--live needs --vm NAME (iovm list shows the running VMs)");
    }
    return {};
  }
  if (!options.vms.empty())
    return usage_error("--vm goes with --live (or name a TRACE to look at)");
  if (options.traces.empty()) {
    return usage_error("no TRACE given, and no --live (see iovm detect --help)");
  }
  return {};
}

}  // namespace iovm::cli
