// SPDX-License-Identifier: Apache-2.0
#include "analyze/redaction.h"

#include <algorithm>

#include "base/format.h"
#include "base/text.h"

namespace iovm::analyze {
namespace {

using trace::Event;
using trace::Field;

void forget(Event& event, Field field) {
  event.present = static_cast<std::uint8_t>(event.present & ~static_cast<std::uint8_t>(field));
}

std::string pseudonym(std::string_view kind, const std::string& name,
                      std::map<std::string, std::size_t>& known) {
  if (name.empty()) return {};
  auto [place, is_new] = known.try_emplace(name, known.size() + 1);
  return format("{}-{}", kind, place->second);
}

}  // namespace

Result<RedactionWords> RedactionWords::parse(std::string_view text) {
  RedactionWords words;
  for (std::string_view word : split(text, ',')) {
    bool all = word == "all";
    bool* target = word == "names"        ? &words.names
                   : word == "values"     ? &words.values
                   : word == "all-values" ? &words.all_values
                   : word == "code"       ? &words.code
                   : word == "host"       ? &words.host
                   : word == "time"       ? &words.time
                                          : nullptr;
    if (all) words = {true, true, true, true, true, true};
    if (target != nullptr) *target = true;
    if (!all && target == nullptr) {
      return usage_error(
          format("\"{}\" is none of names, values, all-values, code, host, time, all",
                 escape_terminal(word)));
    }
  }
  return words;
}

trace::TraceInfo& Redaction::info(const trace::TraceInfo& whole) {
  trace::TraceInfo& info = context_.info;
  info = whole;
  if (words_.host) info.host.clear();
  if (words_.host) info.kernel.clear();
  // Notes are anybody's text: the name of a VM, of a host, of a file.
  if (words_.host || words_.names) info.notes.clear();
  if (words_.time) info.utc_offset_ns = 0;
  return info;
}

trace::VmInfo Redaction::vm(trace::VmInfo vm) {
  if (words_.names) {
    vm.name = pseudonym("vm", vm.name, vm_names_);
    vm.uuid.clear();
  }
  if (words_.host) vm.pid = -1;
  return vm;
}

trace::GuestProcess Redaction::process(trace::GuestProcess process) {
  // One that is known by its page tables alone is called by them.
  bool is_code = words_.code && process.kind == trace::ProcessKind::address_space;
  if (words_.names || is_code) process.comm = pseudonym("process", process.comm, process_names_);
  if (words_.time) process.start_ns = 0;
  return process;
}

const trace::Context& Redaction::context(const trace::Context& whole) {
  for (std::size_t i = context_.vms.size(); i < whole.vms.size(); ++i)
    context_.vms.push_back(vm(whole.vms[i]));
  for (std::size_t i = context_.processes.size(); i < whole.processes.size(); ++i)
    context_.processes.push_back(process(whole.processes[i]));
  return context_;
}

Event Redaction::event(const Event& whole, model::ValueUse use) {
  Event event = whole;
  if (!start_) start_ = whole.time;
  if (words_.time) event.time = whole.time - std::min(*start_, whole.time);
  if (event.kind == trace::EventKind::loss) return event;
  bool data = words_.values && use == model::ValueUse::none;
  if (data || words_.all_values) {
    event.value = 0;
    forget(event, Field::value);
  }
  if (words_.code) {
    event.rip = event.cr3 = 0;
    forget(event, Field::rip);
    forget(event, Field::cr3);
  }
  return event;
}

}  // namespace iovm::analyze
