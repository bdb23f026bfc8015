// SPDX-License-Identifier: Apache-2.0
#include "analyze/compare.h"
#include "base/format.h"
#include "base/json.h"
#include "base/text.h"

namespace iovm::analyze {
namespace {

constexpr std::size_t kShown = 20;
constexpr std::size_t kColumns = 100;

std::string side_text(std::string_view name, const ComparedSide& side) {
  auto duration = std::chrono::nanoseconds(side.duration_ns);
  return format("{:<8}{}: {} events in {}, {} lost\n", name, escape_terminal(side.path),
                side.events, describe_duration(duration), side.lost);
}

std::string rates_text(const Change& change) {
  if (change.kind == ChangeKind::is_new)
    return format("{} events, {:.3g}/s", change.after, change.rate_after);
  if (change.kind == ChangeKind::gone)
    return format("{} events, {:.3g}/s", change.before, change.rate_before);
  return format("{:.3g}/s to {:.3g}/s", change.rate_before, change.rate_after);
}

// As much of the text as there is room for, whole characters.
std::string fitted(std::string text, std::size_t room) {
  if (text.size() <= room) return text;
  std::size_t end = room - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end) + "...";
}

std::string list_text(std::string_view title, const ChangeList& list) {
  std::string out = format("{}: {} changed, {} as before\n", title,
                           list.changes.size() + list.left_out, list.same);
  for (std::size_t i = 0; i < std::min(list.changes.size(), kShown); ++i) {
    const Change& change = list.changes[i];
    std::string rates = rates_text(change);
    std::size_t room = kColumns - 10 - rates.size();
    std::string what = fitted(escape_terminal(change.what), room);
    out += format("  {:<4}  {:<{}}  {}\n", name_of(change.kind), what, room, rates);
  }
  std::size_t all = list.changes.size() + list.left_out;
  if (all > kShown) out += format("  and {} more (--json has them)\n", all - kShown);
  return out;
}

void put_side(JsonWriter& json, std::string_view name, const ComparedSide& side) {
  json.key(name).begin_object().member("path", side.path).member("id", side.id);
  json.key("vms").begin_array();
  for (const std::string& vm : side.vms) json.value(vm);
  json.end_array().member("events", side.events).member("lost", side.lost);
  json.member("duration_ns", side.duration_ns).end_object();
}

void put_list(JsonWriter& json, std::string_view name, const ChangeList& list) {
  json.key(name).begin_object().key("changes").begin_array();
  for (const Change& change : list.changes) {
    json.begin_object().member("change", name_of(change.kind)).member("what", change.what);
    json.member("before", change.before).member("after", change.after);
    json.member("rate_before", change.rate_before).member("rate_after", change.rate_after);
    json.end_object();
  }
  json.end_array().member("left_out", list.left_out).member("same", list.same).end_object();
}

}  // namespace

std::string render_text(const Comparison& c) {
  std::string out = side_text("before", c.before) + side_text("after", c.after);
  if (c.before.vms != c.after.vms)
    out += "note: the VMs have different names; is it the same machine?\n";
  return out + "\n" + list_text("devices", c.devices) + "\n" +
         list_text("operations on registers", c.operations) + "\n" +
         list_text("guest processes", c.processes);
}

std::string render_json(const Comparison& c) {
  JsonWriter json;
  json.begin_object();
  put_side(json, "before", c.before);
  put_side(json, "after", c.after);
  put_list(json, "devices", c.devices);
  put_list(json, "operations", c.operations);
  put_list(json, "processes", c.processes);
  json.end_object();
  return json.take() + "\n";
}

}  // namespace iovm::analyze
