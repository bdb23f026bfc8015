// SPDX-License-Identifier: Apache-2.0
#include "cli/train_wish.h"

#include <algorithm>

#include "base/format.h"
#include "base/text.h"

namespace iovm::cli {
namespace {

Result<std::vector<std::string>> allowed_names(std::vector<std::string> names) {
  for (const std::string& name : names) {
    std::size_t colon = name.find(':');
    std::string_view what = std::string_view(name).substr(0, colon);
    if (colon == std::string::npos || colon + 1 == name.size() ||
        (what != "device" && what != "process")) {
      return usage_error(
          format("--allow \"{}\": device:KEY (iovm info MODEL lists the keys) or "
                 "process:NAME",
                 escape_terminal(name)));
    }
  }
  std::ranges::sort(names);
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

}  // namespace

void declare(CommandLine& line, TrainOptions& options) {
  line.positional("TRACE", options.traces, "recordings of normal work; - is standard input");
  line.optional();
  line.option("-o,--output", options.output, "MODEL", "the model file to write, or -").required();
  line.choice("--method", options.method, {"markov", "chain", "stide"}, "how order is learned");
  line.option(
      "--order", options.order, "N",
      "symbols of context (markov 5, or 9 with more than a million events; chain 3) or in a "
      "window (stide 6)");
  line.option("--stream", options.stream, "WHAT",
              "one sequence per device (default), device-process, process, vcpu or vm");
  line.choice("--symbols", options.symbols, {"auto", "devices", "addresses"},
              "what an access is known by; auto: addresses for imported number sequences");
  line.choice("--session", options.session, {"auto", "mean", "combined"},
              "what a session's score is; auto: the mean where --order or another method is given");
  line.option("--allow", options.allow, "device:KEY|process:NAME",
              "what may do I/O from user space without an alarm; may be given several times");
  line.option("--calibrate", options.calibrate, "TRACE",
              "recordings of normal work to set the threshold by, and to learn nothing from")
      .several();
  line.option("--check", options.check, "TRACE",
              "recordings of normal work to count false alarms in, once the model is made")
      .several();
  line.option("--false-alarms", options.false_alarms, "N/TIME",
              "accepted false alarms: 1/day, 3/hour, 1/week, 5/1M (events), 0.1% (of sessions)");
  line.option("--merge", options.merge, "MODEL",
              "add the counts of this model, made with the same options; recordings that raise "
              "alerts by it are left out; may be given several times");
  line.option("--accept", options.accept, "TRACE",
              "take this recording in, whatever attacks are in it or alerts it raises");
  line.option("--max-loss", options.max_loss, "N",
              "end with code 5, and write nothing, if more than N events were lost");
  line.flag("--json", options.json, "print the summary as JSON");
  line.flag("-q,--quiet", options.quiet, "print nothing but warnings and errors");
}

Result<Wish> wish_of(const TrainOptions& options) {
  Wish wish;
  wish.options.method = *model::method(options.method);
  wish.options.order = model::usual_order(wish.options.method);
  if (options.order) {
    std::uint64_t least = wish.options.method == model::Method::stide ? 2 : 1;
    if (*options.order < least || *options.order > model::kMaxOrder) {
      return usage_error(format("--order {}: from {} to {} for {} (see iovm train --help)",
                                *options.order, least, model::kMaxOrder, options.method));
    }
    wish.options.order = static_cast<std::uint32_t>(*options.order);
  }
  bool plain = wish.options.method == model::Method::markov && !options.order;
  wish.chooses_order = plain && options.merge.empty();
  bool combined = options.session == "auto" ? plain : options.session == "combined";
  wish.options.session = combined ? model::SessionView::combined : model::SessionView::mean;
  if (options.stream) {
    auto kind = model::stream_kind(*options.stream);
    if (!kind) {
      return usage_error(format("--stream \"{}\": device, device-process, process, vcpu or vm",
                                escape_terminal(*options.stream)));
    }
    wish.options.stream = *kind;
    wish.stream_given = true;
  }
  wish.scheme_given = options.symbols != "auto";
  if (options.symbols == "addresses") wish.options.scheme = model::Scheme::addresses;
  auto promise = model::parse_promise(options.false_alarms);
  if (!promise) return std::move(promise).error().in("--false-alarms");
  wish.promise = *promise;
  auto allowed = allowed_names(options.allow);
  if (!allowed) return std::move(allowed).error();
  wish.allowed = *std::move(allowed);
  if (options.traces.empty() && !options.calibrate.empty()) {
    return usage_error("--calibrate needs a TRACE to learn from (see iovm train --help)");
  }
  for (const std::string& path : options.accept) {
    if (std::ranges::find(options.traces, path) != options.traces.end()) continue;
    if (std::ranges::find(options.calibrate, path) != options.calibrate.end()) continue;
    return usage_error(format("--accept \"{}\": no TRACE of that name is given to train on",
                              escape_terminal(path)));
  }
  if (options.traces.empty() && options.merge.empty()) {
    return usage_error("no TRACE given to train on (see iovm train --help)");
  }
  return wish;
}

void settle(Wish& wish, const trace::TraceInfo& info) {
  if (info.source != "sequences") return;
  if (!wish.stream_given) wish.options.stream = model::StreamKind::process;
  if (!wish.scheme_given) wish.options.scheme = model::Scheme::addresses;
}

}  // namespace iovm::cli
