// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"
#include "base/format.h"
#include "base/json.h"
#include "detect/render.h"

namespace iovm::detect {
namespace {

void put_operation(JsonWriter& json, const model::Operation& o) {
  json.member("text", model::describe(o)).member("name", model::short_name(o));
  json.member("device", model::device_key(o.device));
}

void put_step(JsonWriter& json, const Step& step) {
  json.begin_object().member("event", step.event).member("time", step.time);
  put_operation(json, step.operation);
  bool scored = step.novelty != Novelty::matched;
  if (scored) json.member("bits", step.bits).member("probability", step.probability);
  json.member("novelty", name_of(step.novelty));
  if (step.rip != 0) json.member("rip", iovm::format("0x{:x}", step.rip));
  if (step.cr3 != 0) json.member("cr3", iovm::format("0x{:x}", step.cr3));
  if (!scored) {
    json.end_object();
    return;
  }
  json.key("context").begin_array();
  for (const model::Operation& o : step.context) json.value(model::describe(o));
  json.end_array().member("context_count", step.context_count);
  json.key("expected").begin_array();
  for (const Expected& e : step.expected) {
    json.begin_object();
    put_operation(json, e.operation);
    json.member("probability", e.probability).member("count", e.count).end_object();
  }
  json.end_array().end_object();
}

void put_process(JsonWriter& json, std::uint32_t process, const trace::GuestProcess& info) {
  json.begin_object();
  if (process >= trace::kFirstUnknown) {
    json.member("unknown", trace::name_of(static_cast<trace::Unknown>(process)));
  } else {
    json.member("index", process).member("pid", info.pid).member("tgid", info.tgid);
    json.member("comm", info.comm).member("kind", trace::name_of(info.kind));
    json.member("confidence", trace::name_of(info.confidence)).member("how", info.how);
  }
}

void put_device(JsonWriter& json, const model::Device& device) {
  json.key("device").begin_object();
  json.member("key", model::device_key(device.type)).member("name", model::describe(device));
  if (device.type.bus == model::Bus::pci) {
    json.member("bdf", model::function_text(device.place));
  }
  json.end_object();
}

// Escape to Host: what odd use of an emulated device is good for. Far too much use of a disk is
// ransomware's, or a wiper's; of much reading alone nobody can say what it is for.
void put_technique(JsonWriter& json, const Alert& alert) {
  bool volume = alert.kind == AlertKind::volume;
  bool impact = volume && (alert.excess->quantity == model::Quantity::rewrites ||
                           alert.excess->quantity == model::Quantity::sectors_written);
  if (volume && !impact) return;
  if (alert.kind == AlertKind::other_kernel) return;
  json.key("threat").begin_object().member("framework", "MITRE ATT&CK");
  json.key("technique").begin_object().member("id", impact ? "T1486" : "T1611");
  json.member("name", impact ? "Data Encrypted for Impact" : "Escape to Host");
  json.end_object().end_object();
}

void put_excess(JsonWriter& json, const Excess& e) {
  json.key("volume").begin_object().member("text", describe(e));
  json.member("what", model::name_of(e.quantity)).member("amount", e.amount);
  json.member("usual", e.usual).member("limit", e.limit);
  json.member("duration_ns", e.duration_ns);
  json.member("whose", e.whose == model::Whose::actor ? "actor" : "device").end_object();
}

void put_code(JsonWriter& json, const CodeFinding& code) {
  json.key("code").begin_object().member("text", describe(code));
  if (code.other_kernel) {
    json.member("known", code.seen_known).member("unknown", code.seen_strange);
    json.member("devices", code.devices).end_object();
    return;
  }
  auto put_place = [&json](const model::CodePlace& place) {
    json.begin_object().member("class", model::name_of(place.code));
    json.member("offset", iovm::format("0x{:x}", place.offset));
  };
  json.member("events", code.events).key("places").begin_array();
  for (const CodeFinding::Place& place : code.strange) {
    put_place(place.place);
    json.member("rip", iovm::format("0x{:x}", place.rip)).member("events", place.events);
    json.end_object();
  }
  json.end_array().key("training").begin_object().member("accesses", code.trained);
  json.member("places", code.trained_places).key("usual").begin_array();
  for (const model::PlaceRow& row : code.usual) {
    put_place(row.place);
    json.member("count", row.count).end_object();
  }
  json.end_array().end_object().end_object();
}

void put_ours(JsonWriter& json, const Alert& alert) {
  json.member("alert_id", alert.id).member("alert_kind", name_of(alert.kind));
  if (!alert.incident.empty()) json.member("incident", alert.incident);
  json.member("trace", alert.stream.trace);
  json.member("trace_id", alert.stream.trace_id).member("vm", alert.stream.vm_name);
  json.member("vm_index", std::uint64_t{alert.stream.vm});
  if (alert.stream.vmm_pid > 0) json.member("vmm_pid", alert.stream.vmm_pid);
  if (alert.stream.device) put_device(json, *alert.stream.device);
  if (alert.stream.vcpu) json.member("vcpu", std::uint64_t{*alert.stream.vcpu});
  if (!alert.spaces.empty()) {
    json.member("cr3", iovm::format("0x{:x}", alert.spaces.front().cr3));
    json.key("address_spaces").begin_array();
    for (const Space& space : alert.spaces) {
      json.begin_object().member("cr3", iovm::format("0x{:x}", space.cr3));
      json.member("events", space.events).end_object();
    }
    json.end_array();
  }
  if (!alert.actors.empty()) {
    json.key("process");
    put_process(json, alert.actors.front().process, alert.actors.front().info);
    json.end_object();
    json.key("processes").begin_array();
    for (const Actor& actor : alert.actors) {
      put_process(json, actor.process, actor.info);
      json.member("events", actor.events).end_object();
    }
    json.end_array();
  }
  if (alert.stop != Stop::none) {
    json.key("stopped").begin_object().member("how", name_of(alert.stop));
    json.member("resume", resume_of(alert)).end_object();
  }
  if (alert.rule) {
    json.member("hits", alert.rule->hits);
  } else {
    json.key("score").begin_object().member("value", alert.score);
    json.member("threshold", alert.threshold).member("p_value", alert.p_value).end_object();
  }
  json.key("window").begin_object().member("first", alert.first_event);
  json.member("last", alert.last_event).member("alarm", alert.alarm_event);
  json.member("first_time", alert.first_time).member("last_time", alert.last_time);
  json.member("alarm_time", alert.alarm_time).member("events", alert.events).end_object();
  if (alert.excess) put_excess(json, *alert.excess);
  if (alert.code) put_code(json, *alert.code);
  json.key("sequence").begin_array();
  for (const model::Operation& o : alert.sequence) json.value(model::describe(o));
  json.end_array().key("sequence_names").begin_array();
  for (const model::Operation& o : alert.sequence) json.value(model::short_name(o));
  json.end_array().key("steps").begin_array();
  for (const Step& step : alert.steps) put_step(json, step);
  json.end_array().member("lost", alert.lost);
}

void put_rule(JsonWriter& json, const Alert& alert) {
  json.key("rule").begin_object().member("name", rule_of(alert));
  if (alert.rule) {
    json.member("id", alert.rule->id).key("reference").begin_array();
    for (const std::string& reference : alert.rule->references) json.value(reference);
    json.end_array();
    if (!alert.rule->about.empty()) json.member("description", alert.rule->about);
  }
  json.end_object();
}

void put_threat(JsonWriter& json, const Alert& alert) {
  if (!alert.rule) return put_technique(json, alert);
  json.key("threat").begin_object().member("framework", "MITRE ATT&CK");
  const Technique& technique = alert.rule->technique;
  std::string_view id = technique.id;
  std::string_view parent = id.substr(0, id.find('.'));
  json.key("tactic").begin_object().member("id", technique.tactic_id);
  json.member("name", technique.tactic).end_object();
  json.key("technique").begin_object().member("id", parent);
  if (parent == id) {
    json.member("name", technique.name);
  } else {
    json.member("name", alert.rule->parent_technique);
    json.key("subtechnique").begin_object().member("id", id).member("name", technique.name);
    json.end_object();
  }
  json.end_object().end_object();
}

}  // namespace

std::string alert_json(const Alert& alert, Phase phase) {
  JsonWriter json;
  auto utc = static_cast<std::int64_t>(alert.alarm_time) + alert.utc_offset_ns;
  json.begin_object().member("@timestamp", utc_text(utc));
  json.key("event").begin_object().member("kind", "alert").member("module", "iovm");
  if (phase != Phase::whole) {
    json.member("action", phase == Phase::opened ? "opened" : "closed");
  }
  json.member("severity", severity_of(alert)).member("id", alert.id).end_object();
  put_rule(json, alert);
  put_threat(json, alert);
  json.key("iovm").begin_object();
  put_ours(json, alert);
  json.end_object().end_object();
  return json.take() + "\n";
}

std::string score_json(const StreamScore& score, const trace::Context& context, double threshold) {
  JsonWriter json;
  const StreamName& name = score.name;
  json.begin_object().key("stream").begin_object();
  json.member("trace", name.trace).member("vm", name.vm_name).key("process");
  bool known = name.process && *name.process < context.processes.size();
  if (known) {
    const trace::GuestProcess& process = context.processes[*name.process];
    json.value(process.comm).member("pid", process.pid);
  } else {
    json.null().key("pid").null();
  }
  json.key("device");
  if (name.device) {
    json.value(model::describe(*name.device));
  } else {
    json.null();
  }
  if (name.vcpu) json.member("vcpu", std::uint64_t{*name.vcpu});
  json.end_object().member("events", score.events);
  json.member("score", score.session.score).member("p_value", score.session.p_value);
  json.member("bits", score.session.bits).member("set_distance", score.session.distance);
  json.member("max_window", score.max_window).member("threshold", threshold);
  json.member("alerts", score.alerts).end_object();
  return json.take() + "\n";
}

}  // namespace iovm::detect
