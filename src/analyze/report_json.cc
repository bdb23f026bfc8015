// SPDX-License-Identifier: Apache-2.0
#include "analyze/report.h"
#include "base/format.h"

namespace iovm::analyze {
namespace {

void put_texts(JsonWriter& json, std::string_view name, const std::vector<std::string>& texts) {
  json.key(name).begin_array();
  for (const std::string& text : texts) json.value(text);
  json.end_array();
}

void put_text(JsonWriter& json, std::string_view name, const std::string& text) {
  if (!text.empty()) json.member(name, text);
}

void put_step(JsonWriter& json, const ReportStep& step) {
  json.begin_object().member("event", step.event).member("time_ns", step.time);
  json.member("text", step.text).member("novelty", step.novelty);
  json.member("bits", step.bits).member("probability", step.probability);
  put_text(json, "rip", step.rip);
  put_texts(json, "context", step.context);
  json.member("context_count", step.context_count).key("expected").begin_array();
  for (const ReportExpected& expected : step.expected) {
    json.begin_object().member("text", expected.text);
    json.member("probability", expected.probability).member("count", expected.count).end_object();
  }
  json.end_array().end_object();
}

void put_actor(JsonWriter& json, const ReportActor& actor) {
  json.begin_object();
  if (!actor.unknown.empty()) {
    json.member("unknown", actor.unknown);
  } else {
    json.member("pid", actor.pid).member("tgid", actor.tgid).member("comm", actor.comm);
    json.member("kind", actor.kind).member("confidence", actor.confidence);
    json.member("how", actor.how);
  }
  json.member("events", actor.events).end_object();
}

void put_evidence(JsonWriter& json, const ReportAlert& alert) {
  json.key("evidence");
  if (!alert.evidence) {
    json.null();
    return;
  }
  json.begin_object().key("events").begin_array();
  for (const RawEvent& event : alert.evidence->events) {
    json.begin_object().member("event", event.number).member("time_ns", event.time);
    json.member("text", event.text).member("is_step", event.is_step);
    json.member("block_offset", event.offset).end_object();
  }
  json.end_array();
  put_texts(json, "step_processes", alert.evidence->step_processes);
  json.key("address_spaces").begin_array();
  for (std::uint64_t cr3 : alert.evidence->address_spaces) json.value(format("0x{:x}", cr3));
  json.end_array().member("losses_near", alert.evidence->losses_near);
  json.member("lost_near", alert.evidence->lost_near).end_object();
}

// Null without a model at hand.
void put_nearest(JsonWriter& json, const ReportAlert& alert) {
  json.key("nearest_normal");
  if (!alert.nearest) {
    json.null();
    return;
  }
  json.begin_object().member("count", alert.nearest->count).key("steps").begin_array();
  auto put = [&json](std::string_view name, const std::string& text) {
    json.key(name);
    if (text.empty()) {
      json.null();
    } else {
      json.value(text);
    }
  };
  for (const AlignedStep& step : alert.nearest->steps) {
    json.begin_object();
    put("seen", step.seen);
    put("normal", step.normal);
    json.end_object();
  }
  json.end_array().end_object();
}

void put_known(JsonWriter& json, const ReportAlert& alert) {
  if (alert.known) {
    json.key("known").begin_object().member("id", alert.known->id);
    json.member("about", alert.known->about);
    put_texts(json, "references", alert.known->references);
    json.member("hits", alert.known->hits).end_object();
  }
  if (alert.technique) {
    json.key("technique").begin_object().member("id", alert.technique->id);
    json.member("name", alert.technique->name);
    put_text(json, "tactic", alert.technique->tactic);
    json.end_object();
  }
}

void put_alert(JsonWriter& json, const ReportAlert& alert) {
  json.begin_object().member("id", alert.id).member("kind", alert.kind);
  put_text(json, "incident", alert.incident);
  json.member("rule", alert.rule);
  json.member("timestamp", alert.timestamp).member("severity", alert.severity);
  json.member("trace", alert.trace).member("trace_id", alert.trace_id).member("vm", alert.vm);
  put_text(json, "device", alert.device);
  if (alert.vcpu) json.member("vcpu", *alert.vcpu);
  json.key("processes").begin_array();
  for (const ReportActor& actor : alert.actors) put_actor(json, actor);
  json.end_array();
  put_known(json, alert);
  if (!alert.stopped.empty()) {
    json.key("stopped").begin_object().member("how", alert.stopped);
    json.member("resume", alert.resume).end_object();
  }
  put_text(json, "code", alert.code);
  put_text(json, "volume", alert.volume);
  json.member("score", alert.score).member("threshold", alert.threshold);
  json.member("p_value", alert.p_value);
  json.member("first_event", alert.first_event).member("last_event", alert.last_event);
  json.member("alarm_event", alert.alarm_event);
  json.member("first_ns", alert.first_time).member("last_ns", alert.last_time);
  json.member("events", alert.events).member("lost", alert.lost).key("steps").begin_array();
  for (const ReportStep& step : alert.steps) put_step(json, step);
  json.end_array();
  put_texts(json, "sequence", alert.sequence);
  put_nearest(json, alert);
  put_evidence(json, alert);
  json.end_object();
}

}  // namespace

std::string render_json(const Report& report) {
  JsonWriter json;
  json.begin_object().member("path", report.path).member("model", report.model);
  json.member("verdict", verdict(report));
  if (report.recording) {
    json.member("events", report.recording->census.events);
    json.member("lost", report.recording->census.lost.all());
  }
  json.key("alerts").begin_array();
  for (const ReportAlert& alert : report.alerts) put_alert(json, alert);
  json.end_array().member("left_out", report.left_out);
  if (!report.model && report.recording) put(json.key("recording"), *report.recording);
  json.end_object();
  return json.take() + "\n";
}

}  // namespace iovm::analyze
