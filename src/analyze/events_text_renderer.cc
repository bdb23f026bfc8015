// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "analyze/events_text.h"
#include "analyze/layout_text.h"
#include "analyze/put.h"
#include "base/assert.h"
#include "base/format.h"
#include "base/text.h"

namespace iovm::analyze {
namespace {

using trace::Event;
using trace::EventKind;
using trace::Field;

void put_if(bool present, void (*put)(std::uint64_t, std::string&), std::uint64_t number,
            std::string& out) {
  if (present)
    put(number, out);
  else
    out += '-';
}

// "-" stands for nothing, so a name that is just that is written in code.
std::string encode_word(std::string_view text) {
  if (text.empty()) return "-";
  return text == "-" ? "%2d" : percent_encode(text);
}

void put_process(const trace::Context& context, const Event& event, std::string& out) {
  if (!event.knows_process()) {
    out += "-1 -";
    return;
  }
  IOVM_ASSERT(event.process < context.processes.size());
  const trace::GuestProcess& process = context.processes[event.process];
  if (process.pid < 0)
    out += "-1";
  else
    put_decimal(static_cast<std::uint64_t>(process.pid), out);
  out += ' ';
  out += encode_word(process.comm);
}

void put_vm(const Event& event, std::string& out) {
  if (event.vm == trace::kAllVms)
    out += '*';
  else
    put_decimal(event.vm, out);
}

void put_column(Column column, const Event& event, std::string& out) {
  switch (column) {
    case Column::cr3:
      return put_if(event.has(Field::cr3), put_hexadecimal, event.cr3, out);
    case Column::rip:
      return put_if(event.has(Field::rip), put_hexadecimal, event.rip, out);
    case Column::count:
      return put_if(event.has(Field::count), put_decimal, event.count, out);
    case Column::vm:
      return put_vm(event, out);
    case Column::cpl:
      return put_if(event.has(Field::cpl), put_decimal, event.cpl, out);
    default:
      IOVM_ASSERT(false && "a column behind the first nine");
  }
}

void put_event(const trace::Context& context, const std::vector<Column>& more, const Event& event,
               std::string& out) {
  bool loss = event.kind == EventKind::loss;
  put_decimal(event.time, out);
  out += ' ';
  put_if(event.has(Field::vcpu), put_decimal, event.vcpu, out);
  out += ' ';
  put_process(context, event, out);
  out += ' ';
  out += trace::name_of(event.kind);
  out += loss ? " - " : event.direction == trace::Direction::write ? " w " : " r ";
  put_hexadecimal(event.address, out);
  out += ' ';
  put_if(event.has(Field::size), put_decimal, event.size, out);
  out += ' ';
  put_if(event.has(Field::value), put_hexadecimal, event.value, out);
  for (Column column : more) {
    out += ' ';
    put_column(column, event, out);
  }
  out += '\n';
}

// A header line holds hostile text, of which nothing may begin a line of its own.
void put_header(std::string_view name, std::string_view value, std::string& out) {
  auto put = [&out](std::string_view text) {
    for (char c : text) {
      auto byte = static_cast<unsigned char>(c);
      if ((byte < 0x20 && c != '\t') || byte == 0x7f)
        out += percent_encode(std::string_view(&c, 1));
      else
        out += c;
    }
  };
  out += '#';
  if (!name.empty()) {
    out += ' ';
    put(name);
    out += ':';
  }
  if (!value.empty()) out += ' ';
  put(value);
  out += '\n';
}

bool has_note(const trace::TraceInfo& info, std::string_view name) {
  return std::any_of(info.notes.begin(), info.notes.end(),
                     [name](const auto& note) { return note.first == name; });
}

// What a recording says about itself, unless it is an import that said so in its own header.
void put_info(const trace::TraceInfo& info, std::string& out) {
  auto tell = [&](std::string_view name, const std::string& value) {
    if (!value.empty() && !has_note(info, name)) put_header(name, value, out);
  };
  if (info.source == "events") return;
  tell("source", info.source);
  tell("host", info.host);
  tell("kernel", info.kernel);
  if (info.utc_offset_ns != 0) tell("utc_offset_ns", format("{}", info.utc_offset_ns));
}

// Those of the file that the events came from, where it said; else all that a source can give.
std::vector<Column> columns_for(const trace::TraceInfo& info) {
  for (const auto& [name, value] : info.notes) {
    if (name != "columns") continue;
    auto columns = parse_columns(value);
    if (!columns) break;
    std::erase(*columns, Column::other);
    return *std::move(columns);
  }
  return {Column::cr3, Column::rip, Column::count, Column::cpl};
}

}  // namespace

void EventsTextRenderer::header(const trace::Context& context, std::string& out) {
  if (began_) return;
  began_ = true;
  more_ = columns_for(context.info);
  add_vm_column(context);
  for (const auto& [name, value] : context.info.notes) {
    if (name != "columns" && name != "vm" && name != "pci") put_header(name, value, out);
  }
  put_info(context.info, out);
  tell_new_vms(context, out);
  tell_columns(out);
}

// A VM is told before its first event; the second one makes a vm column of its own.
void EventsTextRenderer::tell_new_vms(const trace::Context& context, std::string& out) {
  for (; vms_told_ < context.vms.size(); ++vms_told_) {
    const trace::VmInfo& vm = context.vms[vms_told_];
    for (const trace::PciFunction& function : vm.pci.functions) {
      put_header("pci",
                 format("{} {} {}", vms_told_, encode_word(vm.pci.from), layout_words(function)),
                 out);
    }
    bool only = context.vms.size() == 1;
    const auto& notes = context.info.notes;
    bool is_named = std::any_of(notes.begin(), notes.end(), [&vm](const auto& note) {
      return note.first == "name" && note.second == vm.name;
    });
    if (only && vm.uuid.empty() && (vm.name.empty() || is_named)) continue;
    put_header("vm", format("{} {} {}", vms_told_, encode_word(vm.name), encode_word(vm.uuid)),
               out);
  }
}

bool EventsTextRenderer::add_vm_column(const trace::Context& context) {
  bool has_one = std::find(more_.begin(), more_.end(), Column::vm) != more_.end();
  if (context.vms.size() < 2 || has_one) return false;
  more_.push_back(Column::vm);
  return true;
}

void EventsTextRenderer::tell_columns(std::string& out) const {
  std::string names;
  for (std::size_t i = 0; i < kFixedColumns; ++i) {
    names += format("{}{}", i == 0 ? "" : " ", name_of(static_cast<Column>(i)));
  }
  for (Column column : more_) names += format(" {}", name_of(column));
  put_header("columns", names, out);
}

void EventsTextRenderer::append(const trace::Context& context, std::span<const Event> events,
                                std::string& out) {
  header(context, out);
  tell_new_vms(context, out);
  if (add_vm_column(context)) tell_columns(out);
  for (const Event& event : events) put_event(context, more_, event, out);
}

}  // namespace iovm::analyze
