// SPDX-License-Identifier: Apache-2.0
#include "analyze/event_json.h"

#include "analyze/put.h"
#include "base/format.h"
#include "base/json.h"

namespace iovm::analyze {
namespace {

using trace::Field;

void put_hex_member(std::string_view name, std::uint64_t number, std::string& out) {
  out += name;
  put_hexadecimal(number, out);
  out += '"';
}

}  // namespace

std::string json_string(std::string_view text) {
  return JsonWriter().value(text).take();
}

void put_member(std::string_view name, std::uint64_t number, std::string& out) {
  out += name;
  put_decimal(number, out);
}

std::string json_process(const trace::GuestProcess& process) {
  std::string out = ",\"process\":{";
  if (process.pid >= 0) out += format("\"pid\":{},", process.pid);
  if (process.tgid >= 0) out += format("\"tgid\":{},", process.tgid);
  if (process.start_ns != 0) out += format("\"start_ns\":{},", process.start_ns);
  out += "\"comm\":" + json_string(process.comm);
  if (process.kind != trace::ProcessKind::unknown)
    out += format(",\"kind\":\"{}\"", trace::name_of(process.kind));
  out += format(",\"confidence\":\"{}\"", trace::name_of(process.confidence));
  if (!process.how.empty()) out += ",\"how\":" + json_string(process.how);
  return out + "}";
}

void put_json_access(const trace::Event& event, std::string& out) {
  bool writes = event.direction == trace::Direction::write;
  out += writes ? ",\"direction\":\"write\"" : ",\"direction\":\"read\"";
  put_hex_member(",\"address\":\"", event.address, out);
  if (event.has(Field::size)) put_member(",\"size\":", event.size, out);
  if (event.has(Field::value)) put_hex_member(",\"value\":\"", event.value, out);
  if (event.has(Field::count)) put_member(",\"count\":", event.count, out);
  if (event.has(Field::cr3)) put_hex_member(",\"cr3\":\"", event.cr3, out);
  if (event.has(Field::rip)) put_hex_member(",\"rip\":\"", event.rip, out);
  if (event.has(Field::cpl)) put_member(",\"cpl\":", event.cpl, out);
}

// Labels are made of our own words and numbers only: nothing in them needs escaping.
void put_json_label(const EventLabel& label, std::string& out) {
  out += ",\"device\":\"";
  out += label.key;
  if (!label.place.empty()) {
    out += "\",\"place\":\"";
    out += label.place;
  }
  if (!label.reg.empty()) {
    out += "\",\"register\":\"";
    out += label.reg;
  }
  out += '"';
}

void put_json_loss(const trace::Event& event, std::string& out) {
  trace::Loss loss = trace::loss_of(event);
  out += format(",\"cause\":\"{}\",\"lost\":{}", trace::name_of(loss.cause), loss.count);
}

}  // namespace iovm::analyze
