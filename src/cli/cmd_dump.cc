// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <memory>

#include "analyze/event_filter.h"
#include "analyze/event_labels.h"
#include "analyze/event_listing.h"
#include "analyze/events_text.h"
#include "base/format.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/damage.h"
#include "cli/event_options.h"
#include "cli/stdout.h"
#include "trace/reader.h"

namespace iovm::cli {
namespace {

struct DumpOptions {
  std::string path;
  EventOptions which;
  std::optional<std::string> events;
  std::optional<std::string> address;
  std::string direction;
  std::string kind;
  std::optional<std::string> vm;
  std::optional<std::uint64_t> vcpu;
  std::string format = "text";
  std::optional<std::uint64_t> limit;
};

void declare(CommandLine& line, DumpOptions& options) {
  line.positional("TRACE", options.path, "a trace file, or - for standard input");
  declare(line, options.which);
  line.option("--events", options.events, "A-B", "event numbers, as in alerts");
  line.option("--address", options.address, "A|A-B", "at this port or address");
  line.choice("--direction", options.direction, {"r", "w"}, "reads or writes only");
  line.choice("--kind", options.kind, {"pio", "mmio", "fast", "loss"}, "of this kind only");
  line.option("--vm", options.vm, "NAME", "of this VM: name, UUID or number");
  line.option("--vcpu", options.vcpu, "N", "of this vCPU");
  line.choice("--format", options.format, {"text", "jsonl", "csv", "events"},
              "text is the default");
  line.option("--limit", options.limit, "N", "stop after N events");
}

Result<analyze::EventFilter> filter_of(const DumpOptions& options) {
  auto chosen = event_filter(options.which);
  if (!chosen) return std::move(chosen).error();
  analyze::EventFilter filter = *std::move(chosen);
  for (Status parsed :
       {parse_into(filter.events, options.events, "--events", analyze::NumberRange::parse),
        parse_into(filter.address, options.address, "--address", analyze::NumberRange::parse)}) {
    if (!parsed) return std::move(parsed).error();
  }
  if (options.vcpu && *options.vcpu > 0xffff) return usage_error("--vcpu: at most 65535");
  if (options.vcpu) filter.vcpu = static_cast<std::uint16_t>(*options.vcpu);
  filter.vm = options.vm;
  if (!options.direction.empty())
    filter.direction = options.direction == "w" ? trace::Direction::write : trace::Direction::read;
  if (!options.kind.empty()) filter.kind = trace::event_kind(options.kind);
  return filter;
}

// The events text as a listing like the others.
class EventsListing : public analyze::EventListing {
 public:
  void begin(const trace::Context& context, std::string& out) override {
    renderer_.header(context, out);
  }
  void append(const analyze::ListedEvent& listed, std::string& out) override {
    renderer_.append(listed.context, std::span(&listed.event, 1), out);
  }

 private:
  analyze::EventsTextRenderer renderer_;
};

std::unique_ptr<analyze::EventListing> make_listing(const std::string& format) {
  if (format == "jsonl") return std::make_unique<analyze::JsonListing>();
  if (format == "csv") return std::make_unique<analyze::CsvListing>();
  if (format == "events") return std::make_unique<EventsListing>();
  return std::make_unique<analyze::TextListing>();
}

// Event numbers and device names are known only to who has seen the trace from its start. Where
// neither is wanted, the reader may start at the right block.
trace::ReadOptions shortcut(const DumpOptions& options, const analyze::EventFilter& filter) {
  trace::ReadOptions read;
  if (options.format != "events" || filter.device || filter.events) return read;
  if (filter.from && filter.from->relative) return read;
  if (filter.to && filter.to->relative) return read;
  if (filter.from) read.from = filter.from->ns;
  if (filter.to) read.to = filter.to->ns;
  return read;
}

class Dump {
 public:
  Dump(const DumpOptions& options, analyze::EventFilter filter, const trace::TraceInfo& info)
      : matcher_(std::move(filter)),
        labels_(info),
        needs_labels_(options.format != "events" || options.which.device.has_value()),
        listing_(make_listing(options.format)),
        left_(options.limit.value_or(~std::uint64_t{0})) {}

  void begin(const trace::Context& context) { listing_->begin(context, out_.text()); }
  // False once enough is printed or nobody reads it any more.
  Result<bool> print(const trace::Context& context, std::span<const trace::Event> events);
  Status end() { return out_.flush(); }

 private:
  analyze::EventMatcher matcher_;
  analyze::EventLabels labels_;
  bool needs_labels_;
  std::unique_ptr<analyze::EventListing> listing_;
  std::uint64_t left_;
  std::uint64_t number_ = 0;
  std::optional<std::uint64_t> start_;
  Stdout out_;
};

Result<bool> Dump::print(const trace::Context& context, std::span<const trace::Event> events) {
  for (const trace::Event& event : events) {
    if (left_ == 0 || matcher_.is_over(number_)) return false;
    if (!start_) start_ = event.time;
    analyze::EventLabel label = needs_labels_ ? labels_.see(event) : analyze::EventLabel();
    if (matcher_.matches(context, number_, event, label.device, label.index)) {
      listing_->append({context, number_, event, label, *start_}, out_.text());
      --left_;
      if (auto written = out_.flush_if_full(); !written) return std::move(written).error();
      if (out_.closed()) return false;
    }
    ++number_;
  }
  // A live pipe's events are not kept back.
  if (auto written = out_.flush(); !written) return std::move(written).error();
  return left_ > 0 && !out_.closed();
}

// The whole trace. What can be read is printed, whatever comes after it.
Status print_trace(const DumpOptions& options, analyze::EventFilter filter,
                   trace::TraceReader& trace) {
  // What a trace says about itself is known with its first events.
  auto batch = trace.next();
  Dump dump(options, std::move(filter), trace.context().info);
  dump.begin(trace.context());
  while (batch && !batch->empty()) {
    auto more = dump.print(trace.context(), *batch);
    if (!more) return std::move(more).error();
    if (!*more) break;
    batch = trace.next();
  }
  if (auto ended = dump.end(); !ended) return ended;
  if (!batch) return std::move(batch).error();
  return {};
}

// What was wrong with the trace, once its readable part is printed.
Status tell_damage(const trace::TraceReader& reader, const std::string& path) {
  if (reader.ended_early()) {
    std::string note =
        format("iovm dump: {}: was cut short; these are its whole blocks\n", escape_terminal(path));
    std::fwrite(note.data(), 1, note.size(), stderr);
  }
  auto damage = damage_error(path, reader.damage(), "the rest is printed");
  return damage ? Status(std::move(*damage)) : Status();
}

Result<ExitStatus> run_dump(CommandLine& line) {
  DumpOptions options;
  declare(line, options);
  if (auto end = line.parse()) return *end;
  auto filter = filter_of(options);
  if (!filter) return std::move(filter).error();
  auto reader = trace::TraceReader::open(options.path, shortcut(options, *filter));
  if (!reader) return std::move(reader).error();
  if (auto printed = print_trace(options, *std::move(filter), **reader); !printed)
    return std::move(printed).error();
  if (auto whole = tell_damage(**reader, options.path); !whole) return std::move(whole).error();
  return ExitStatus::done;
}

}  // namespace

const Command kDump{"dump", "print the events of a trace", run_dump};

}  // namespace iovm::cli
