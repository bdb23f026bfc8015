// SPDX-License-Identifier: Apache-2.0
#include "analyze/file_facts.h"

#include <algorithm>

#include "analyze/attribution.h"
#include "analyze/event_listing.h"
#include "analyze/layout_facts.h"
#include "analyze/rows.h"
#include "base/clock.h"
#include "base/format.h"
#include "base/json.h"
#include "base/text.h"

namespace iovm::analyze {
namespace {

std::string field(std::string_view name, std::string_view value) {
  return value.empty() ? std::string() : format("  {:<10}{}\n", name, value);
}

std::string time_text(const TraceFacts& facts) {
  const Census& census = facts.census;
  auto duration = std::chrono::nanoseconds(census.last_time - census.first_time);
  std::int64_t offset = facts.context.info.utc_offset_ns;
  if (census.events == 0) return "no events";
  if (offset == 0)
    return format("{} (from {} ns of the recording's clock; UTC is not known)",
                  describe_duration(duration), census.first_time);
  auto utc = [offset](std::uint64_t ns) {
    return utc_text(static_cast<std::int64_t>(ns + static_cast<std::uint64_t>(offset)));
  };
  return format("{}, {} to {}", describe_duration(duration), utc(census.first_time),
                utc(census.last_time));
}

std::string kinds_text(const Census& census) {
  std::string text;
  for (int i = 0; i < trace::kEventKinds - 1; ++i) {
    auto kind = static_cast<trace::EventKind>(i);
    text += format("{}{} {}", i == 0 ? "" : ", ", census.kinds[static_cast<std::size_t>(i)],
                   trace::name_of(kind));
  }
  return text;
}

std::string file_text(const TraceFacts& facts) {
  if (!facts.file) return "read from a pipe";
  const trace::TraceSummary& file = *facts.file;
  std::string text = format("{} in {} blocks", describe_size(file.bytes), file.blocks);
  if (facts.census.events > 0)
    text += format(", {:.2f} bytes an event",
                   static_cast<double>(file.bytes) / static_cast<double>(facts.census.events));
  return text + (file.indexed ? ", closed with an index" : ", without an index: cut short");
}

double share(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

std::string vms_text(const TraceFacts& facts) {
  const auto& vms = facts.context.vms;
  return rows("VMs", vms.size(), [&](std::size_t i) {
    std::string name = vms[i].name.empty() ? "(without a name)" : escape_terminal(vms[i].name);
    std::string text = format("    {} {}", i, name);
    if (!vms[i].uuid.empty()) text += format(", {}", escape_terminal(vms[i].uuid));
    if (!vms[i].vmm.empty()) text += format(", {}", escape_terminal(vms[i].vmm));
    if (vms[i].vcpus > 0) text += format(", {} vCPUs", vms[i].vcpus);
    if (vms[i].memory > 0) text += format(", {}", describe_size(vms[i].memory));
    std::uint64_t events = i < facts.census.vms.size() ? facts.census.vms[i] : 0;
    return text + format(": {} events\n", events);
  });
}

// Nothing where no source could have told: all processes are then of one reason.
std::string attribution_text(const TraceFacts& facts) {
  Attribution attribution = attribution_of(facts.census, facts.context);
  if (attribution.attributed == 0 && attribution.shares.size() < 2 &&
      facts.context.processes.empty())
    return {};
  std::string title = format("guest process known of {} events, {:.2f} %", attribution.attributed,
                             share(attribution.attributed, facts.census.events));
  return rows(title, attribution.shares.size(), [&](std::size_t i) {
    const AttributionShare& part = attribution.shares[i];
    return format("    {:>10} {:>5.1f} %  {}\n", part.events,
                  share(part.events, facts.census.events), describe(part));
  });
}

std::string notes_text(const trace::TraceInfo& info) {
  constexpr std::size_t kLongest = 84;
  return rows("notes", info.notes.size(), [&](std::size_t i) {
    const auto& [name, value] = info.notes[i];
    std::string text = escape_terminal(name.empty() ? value : name + ": " + value);
    if (text.size() > kLongest) {
      // Not through the middle of a character.
      std::size_t end = kLongest;
      while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
      text.resize(end);
      text += "...";
    }
    return format("    {}\n", text);
  });
}

std::string damage_text(const TraceFacts& facts) {
  return rows("damage", facts.damage.size(), [&](std::size_t i) {
    const trace::Damage& damage = facts.damage[i];
    return format("    at byte {}: {} bytes skipped: {}\n", damage.offset, damage.bytes,
                  escape_terminal(damage.why));
  });
}

void put_context(JsonWriter& json, const TraceFacts& facts) {
  json.key("vms").begin_array();
  for (std::size_t i = 0; i < facts.context.vms.size(); ++i) {
    const trace::VmInfo& vm = facts.context.vms[i];
    std::uint64_t events = i < facts.census.vms.size() ? facts.census.vms[i] : 0;
    json.begin_object().member("name", vm.name).member("uuid", vm.uuid).member("vmm", vm.vmm);
    json.member("vcpus", vm.vcpus).member("memory", vm.memory).member("events", events);
    put_layout(json.key("pci"), vm.pci);
    json.end_object();
  }
  json.end_array().key("notes").begin_array();
  for (const auto& [name, value] : facts.context.info.notes) {
    json.begin_object().member("name", name).member("value", value).end_object();
  }
  json.end_array();
}

void put_counts(JsonWriter& json, const TraceFacts& facts) {
  json.key("devices").begin_array();
  for (const DeviceCount& device : facts.census.devices) {
    json.begin_object().member("key", model::device_key(device.device.type));
    json.member("name", model::describe(device.device));
    json.member("vm", unsigned{device.device.vm});
    json.member("reads", device.reads).member("writes", device.writes);
    json.member("from_user_space", device.from_user_space).end_object();
  }
  json.end_array().key("processes").begin_array();
  for (const ProcessCount& process : facts.census.processes) {
    json.begin_object();
    if (process.process < facts.context.processes.size()) {
      const trace::GuestProcess& known = facts.context.processes[process.process];
      json.member("pid", known.pid).member("tgid", known.tgid).member("comm", known.comm);
      json.member("kind", trace::name_of(known.kind));
      json.member("confidence", trace::name_of(known.confidence)).member("how", known.how);
      json.member("start_ns", known.start_ns);
    } else {
      json.member("unknown", trace::name_of(static_cast<trace::Unknown>(process.process)));
    }
    json.member("events", process.events).end_object();
  }
  json.end_array();
}

void put_attribution(JsonWriter& json, const TraceFacts& facts) {
  Attribution attribution = attribution_of(facts.census, facts.context);
  json.key("attribution").begin_object().member("attributed", attribution.attributed);
  json.key("shares").begin_array();
  for (const AttributionShare& share : attribution.shares) {
    json.begin_object().member("known", share.known);
    if (share.known) {
      json.member("kind", trace::name_of(share.kind));
      json.member("confidence", trace::name_of(share.confidence));
    }
    json.member(share.known ? "how" : "reason", share.how).member("events", share.events);
    json.end_object();
  }
  json.end_array().end_object();
}

void put_loss(JsonWriter& json, const trace::LossTotals& lost) {
  json.key("lost").begin_object().member("ring", lost.ring).member("source", lost.source);
  json.member("damaged", lost.damaged).end_object();
}

}  // namespace

std::string describe_totals(std::uint64_t events, const trace::LossTotals& lost) {
  return format("{} events, {} lost (ring {}, source {}, damaged {})", events, lost.all(),
                lost.ring, lost.source, lost.damaged);
}

std::string describe_process(const trace::Context& context, std::uint32_t process) {
  if (process < context.processes.size()) return process_text(context.processes[process]);
  return format("unknown ({})", trace::name_of(static_cast<trace::Unknown>(process)));
}

Result<TraceFacts> trace_facts(const std::string& path, const EventFilter& filter) {
  auto reader = trace::TraceReader::open(path);
  if (!reader) return std::move(reader).error();
  TraceFacts facts;
  facts.path = path;
  std::optional<CensusTaker> taker;
  for (;;) {
    auto batch = (*reader)->next();
    if (!batch) return std::move(batch).error();
    if (!taker) taker.emplace((*reader)->context().info, filter);
    if (batch->empty()) break;
    taker->see((*reader)->context(), *batch);
  }
  facts.context = (*reader)->context();
  facts.census = taker->finish();
  facts.ended_early = (*reader)->ended_early();
  facts.damage = (*reader)->damage();
  if (path != "-") {
    auto summary = trace::summarize(path, false);
    if (summary) facts.file = *std::move(summary);
  }
  return facts;
}

std::string render_text(const TraceFacts& facts) {
  const trace::TraceInfo& info = facts.context.info;
  const Census& census = facts.census;
  std::string text = format("trace {}\n", escape_terminal(facts.path));
  text += field("id", trace::id_text(info.id));
  text += field("source", escape_terminal(info.source));
  text += field("made by", escape_terminal(info.tool));
  text += field("host", escape_terminal(info.host));
  text += field("kernel", escape_terminal(info.kernel));
  text += field("time", time_text(facts));
  text += field("kinds", kinds_text(census));
  text += field("file", file_text(facts));
  text += vms_text(facts);
  text += layouts_text(facts.context);
  text += rows("devices", census.devices.size(), [&](std::size_t i) {
    const DeviceCount& device = census.devices[i];
    std::string vm = facts.context.vms.size() > 1 ? format("VM {} ", device.device.vm) : "";
    return format("    {:>10} {:>5.1f} %  {}{}\n", device.events(),
                  share(device.events(), census.events), vm, model::describe(device.device));
  });
  text += attribution_text(facts);
  text += rows("guest processes", census.processes.size(), [&](std::size_t i) {
    const ProcessCount& process = census.processes[i];
    return format("    {:>10} {:>5.1f} %  {}\n", process.events,
                  share(process.events, census.events),
                  describe_process(facts.context, process.process));
  });
  text += notes_text(info);
  text += damage_text(facts);
  return text + describe_totals(census.events, census.lost) + "\n";
}

void put(JsonWriter& json, const TraceFacts& facts) {
  const trace::TraceInfo& info = facts.context.info;
  const Census& census = facts.census;
  json.begin_object().member("type", "trace").member("path", facts.path);
  json.member("id", trace::id_text(info.id)).member("source", info.source);
  json.member("tool", info.tool).member("host", info.host).member("kernel", info.kernel);
  json.member("utc_offset_ns", info.utc_offset_ns);
  json.member("time_resolution_ns", info.time_resolution_ns);
  json.member("first_ns", census.first_time).member("last_ns", census.last_time);
  json.member("events", census.events).key("kinds").begin_object();
  for (int i = 0; i < trace::kEventKinds; ++i) {
    json.member(trace::name_of(static_cast<trace::EventKind>(i)),
                census.kinds[static_cast<std::size_t>(i)]);
  }
  json.end_object();
  put_loss(json, census.lost);
  if (facts.file) {
    json.key("file").begin_object().member("bytes", facts.file->bytes);
    json.member("blocks", facts.file->blocks).member("indexed", facts.file->indexed).end_object();
  }
  json.member("ended_early", facts.ended_early).key("damage").begin_array();
  for (const trace::Damage& damage : facts.damage) {
    json.begin_object().member("offset", damage.offset).member("bytes", damage.bytes);
    json.member("why", damage.why).end_object();
  }
  json.end_array();
  put_context(json, facts);
  put_counts(json, facts);
  put_attribution(json, facts);
  json.end_object();
}

std::string render_json(const TraceFacts& facts) {
  JsonWriter json;
  put(json, facts);
  return json.take() + "\n";
}

}  // namespace iovm::analyze
