// SPDX-License-Identifier: Apache-2.0
#include "analyze/event_listing.h"

#include "analyze/event_json.h"
#include "analyze/put.h"
#include "base/format.h"
#include "base/text.h"

namespace iovm::analyze {
namespace {

using trace::Event;
using trace::EventKind;
using trace::Field;

// Where the columns of the table end.
constexpr std::size_t kNumberEnd = 8;
constexpr std::size_t kTimeEnd = kNumberEnd + 13;
constexpr std::size_t kCpuEnd = kTimeEnd + 3;
constexpr std::size_t kProcessEnd = kCpuEnd + 12;
constexpr std::size_t kKindEnd = kProcessEnd + 5;
constexpr std::size_t kAccessEnd = kKindEnd + 3;
constexpr std::size_t kAddressEnd = kAccessEnd + 11;
constexpr std::size_t kValueEnd = kAddressEnd + 11;
constexpr std::size_t kLineEnd = 100;

bool writes(const Event& event) {
  return event.direction == trace::Direction::write;
}

// The text of entry `index`, made once; entries before it are made too.
template <typename Make>
const std::string& remembered(std::deque<std::string>& texts, std::size_t index, Make make) {
  while (texts.size() <= index) texts.push_back(make(texts.size()));
  return texts[index];
}

void put_cpu(const ListedEvent& listed, std::string& out) {
  if (listed.context.vms.size() > 1) {
    if (listed.event.vm == trace::kAllVms)
      out += '*';
    else
      put_decimal(listed.event.vm, out);
    out += ':';
  }
  if (listed.event.has(Field::vcpu))
    put_decimal(listed.event.vcpu, out);
  else
    out += '-';
}

void put_access(const ListedEvent& listed, std::size_t line, std::string& out) {
  const Event& event = listed.event;
  out += writes(event) ? 'w' : 'r';
  if (event.has(Field::size)) put_decimal(event.size, out);
  pad(line, kAccessEnd, out);
  out += ' ';
  put_hexadecimal(event.address, out);
  pad(line, kAddressEnd, out);
  out += ' ';
  if (event.has(Field::value))
    put_hexadecimal(event.value, out);
  else
    out += '-';
  if (event.has(Field::count) && event.count != 1) {
    out += " x";
    put_decimal(event.count, out);
  }
  pad(line, kValueEnd, out);
  out += ' ';
  out += listed.label.key;
  // "command (0x1f7)": the place stands in the address column already.
  std::string_view reg = listed.label.reg;
  std::size_t open = reg.find(" (");
  std::size_t close = open == std::string_view::npos ? open : reg.find(')', open);
  if (!reg.empty()) out += ' ';
  out += reg.substr(0, open);
  if (close != std::string_view::npos) out += reg.substr(close + 1);
  if (out.size() - line <= kLineEnd) return;
  out.resize(line + kLineEnd - 1);
  out += '~';
}

void put_loss(const Event& event, std::string& out) {
  trace::Loss loss = trace::loss_of(event);
  out += loss.count == 0 ? "LOST: events, number unknown" : format("LOST: {} events", loss.count);
  out += format(" ({})", trace::name_of(loss.cause));
}

// A cell that a spreadsheet takes for text and for one cell, whatever a guest put into it.
std::string csv_cell(std::string_view text) {
  std::string cell = escape_terminal(text);
  if (cell.find_first_of("=+-@") == 0) cell.insert(0, "'");
  if (cell.find_first_of("\",;'") == std::string::npos) return cell;
  std::string quoted = "\"";
  for (char c : cell) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

void put_csv_access(const Event& event, std::string& out) {
  auto decimal = [&](Field field, std::uint64_t number) {
    out += ',';
    if (event.has(field)) put_decimal(number, out);
  };
  auto hexadecimal = [&](Field field, std::uint64_t number) {
    out += ',';
    if (event.has(field)) put_hexadecimal(number, out);
  };
  out += event.kind == EventKind::loss ? "," : writes(event) ? ",w" : ",r";
  out += ',';
  put_hexadecimal(event.address, out);
  decimal(Field::size, event.size);
  hexadecimal(Field::value, event.value);
  hexadecimal(Field::cr3, event.cr3);
  hexadecimal(Field::rip, event.rip);
  decimal(Field::count, event.count);
  decimal(Field::cpl, event.cpl);
}

}  // namespace

std::string process_text(const trace::GuestProcess& process) {
  std::string text = escape_terminal(process.comm);
  if (process.pid >= 0) text += format("{}{}", text.empty() ? "" : ":", process.pid);
  return process.confidence == trace::Confidence::low ? text + "?" : text;
}

void TextListing::begin(const trace::Context& context, std::string& out) {
  std::size_t line = out.size();
  auto title = [&](std::string_view text, std::size_t end) {
    out += text;
    pad(line, end, out);
    out += ' ';
  };
  title("event", kNumberEnd);
  title("time s", kTimeEnd);
  title(context.vms.size() > 1 ? "v:cpu" : "cpu", kCpuEnd);
  title("process", kProcessEnd);
  title("kind", kKindEnd);
  title("rw", kAccessEnd);
  title("address", kAddressEnd);
  title("value", kValueEnd);
  out += "device register\n";
}

void TextListing::append(const ListedEvent& listed, std::string& out) {
  const Event& event = listed.event;
  std::size_t line = out.size();
  put_decimal(listed.number, out);
  pad(line, kNumberEnd, out);
  bool before = event.time < listed.start;
  out += before ? " -" : " +";
  put_seconds(before ? listed.start - event.time : event.time - listed.start, 6, out);
  pad(line, kTimeEnd, out);
  out += ' ';
  put_cpu(listed, out);
  pad(line, kCpuEnd, out);
  out += ' ';
  if (event.kind == EventKind::loss) {
    put_loss(event, out);
  } else {
    if (event.knows_process()) {
      out += remembered(processes_, event.process,
                        [&](std::size_t i) { return process_text(listed.context.processes[i]); });
    } else {
      out += '-';
    }
    pad(line, kProcessEnd, out);
    out += ' ';
    out += trace::name_of(event.kind);
    pad(line, kKindEnd, out);
    out += ' ';
    put_access(listed, line, out);
  }
  out += '\n';
}

void JsonListing::begin(const trace::Context&, std::string&) {}

void JsonListing::append(const ListedEvent& listed, std::string& out) {
  const Event& event = listed.event;
  put_member("{\"event\":", listed.number, out);
  put_member(",\"time_ns\":", event.time, out);
  if (event.vm < listed.context.vms.size()) {
    out += remembered(vms_, event.vm, [&](std::size_t i) {
      return ",\"vm\":" + json_string(listed.context.vms[i].name);
    });
  }
  if (event.has(Field::vcpu)) put_member(",\"vcpu\":", event.vcpu, out);
  out += ",\"kind\":\"";
  out += trace::name_of(event.kind);
  out += '"';
  if (event.kind == EventKind::loss) {
    put_json_loss(event, out);
  } else {
    put_json_access(event, out);
    if (event.knows_process())
      out += remembered(processes_, event.process,
                        [&](std::size_t i) { return json_process(listed.context.processes[i]); });
    put_json_label(listed.label, out);
  }
  out += "}\n";
}

void CsvListing::begin(const trace::Context&, std::string& out) {
  out +=
      "event,t_ns,vm,vcpu,pid,comm,kind,dir,addr,size,value,cr3,rip,count,cpl,device,place,"
      "register\n";
}

void CsvListing::append(const ListedEvent& listed, std::string& out) {
  const Event& event = listed.event;
  put_decimal(listed.number, out);
  out += ',';
  put_decimal(event.time, out);
  out += ',';
  if (event.vm != trace::kAllVms) put_decimal(event.vm, out);
  out += ',';
  if (event.has(Field::vcpu)) put_decimal(event.vcpu, out);
  out += ',';
  if (event.knows_process()) {
    out += remembered(names_, event.process, [&](std::size_t i) {
      const trace::GuestProcess& process = listed.context.processes[i];
      return format("{},{}", process.pid, csv_cell(process.comm));
    });
  } else {
    out += ',';
  }
  out += ',';
  out += trace::name_of(event.kind);
  put_csv_access(event, out);
  out += format(",{},{},", listed.label.key, listed.label.place);
  out += csv_cell(listed.label.reg);
  out += '\n';
}

}  // namespace iovm::analyze
